{% macro macros_reached(text, texts, names, known) %}
    {%- set word = '[A-Za-z_]\\w*' -%}
    {%- set called = [] -%}
    {%- for each in modules.re.findall(word, text)
        | select('in', names) | unique -%}
        {%- do called.extend(names[each]) -%}
    {%- endfor -%}
    {%- set key = called | sort | join(' ') -%}
    {%- if key not in known -%}
        {%- set found = {} -%}
        {#- The loop also visits what it appends to the list. -#}
        {%- for name in called if name not in found -%}
            {%- do found.update({name: texts[name]}) -%}
            {%- for each in modules.re.findall(word, texts[name])
                | select('in', names) | unique -%}
                {%- do called.extend(names[each]) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- set all_texts = found | dictsort | map('last') | join('\n') -%}
        {%- do known.update({key: {
            'hash': local_md5(all_texts)[:16],
            'variables': variables_read(called | join(', '), all_texts),
        }}) -%}
    {%- endif -%}
    {{- return(known[key]) -}}
{% endmacro %}
