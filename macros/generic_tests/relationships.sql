{% test relationships(model, column_name, to, field, through=none) %}

with children as (
    select {{ column_name }} as child_key
    from {{ model if through is none else through }}
    where {{ column_name }} is not null
),

parents as (
    select {{ field }} as parent_key
    from {{ to }}
)

select children.child_key
from children
left join parents on children.child_key = parents.parent_key
where parents.parent_key is null

{% endtest %}
