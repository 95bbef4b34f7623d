"""SQL for Snowflake, read without one: the set-up, and the tree as dbt compiles it.

What is on no list here has not been looked up in Snowflake's reference: look it
up, then add it. Engines that only act as Snowflake take much that it refuses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlfluff.core import FluffConfig, Linter
from sqlglot import exp
from tests.delivery import unbuilt
from tests.project import PROJECT
from tests.scripts.test_snowflake_setup import SQL_PARTS, setup_for
from tests.snowflake_rules import shadowed

from reelhouse.engines.snowflake.connection import connector
from reelhouse.transform.build import parsed
from reelhouse.transform.dbt import invoke
from tools.snowflake_setup import render

# Functions of Snowflake that compiled SQL may call, and words before a bracket.
FUNCTION_NAMES = """
    abs cast chr coalesce count date_trunc dateadd datediff dayofweekiso extract
    flatten floor greatest lag lead least left length listagg lower max md5 min mod
    nullif over percent_rank power rank regexp_replace replace right row_number
    rtrim split split_part sqrt substr sum to_timestamp_ntz translate trim
"""
OTHER_WORDS = """
    and as by decimal distinct exists from group if in insert into not on or select
    then values when where
"""
FUNCTIONS = set(FUNCTION_NAMES.split())
WORDS = set(OTHER_WORDS.split())
# What DuckDB has and Snowflake has not, or has with another meaning.
DENIED = {
    "arg_max": "max_by",
    "arg_min": "min_by",
    "bool_and": "booland_agg",
    "bool_or": "boolor_agg",
    "concat": "||, since the engines treat null in concat differently",
    "date_diff": "datediff",
    "epoch": "date_part(epoch_second, …)",
    "epoch_ms": "to_timestamp_ntz",
    "format": "||",
    "generate_series": "dbt.generate_series",
    "instr": "position",
    "isodow": "dayofweekiso",
    "len": "length",
    "list": "array_agg",
    "list_aggregate": "a flattened array",
    "list_contains": "array_contains",
    "list_transform": "a flattened array",
    "list_value": "array_construct",
    "make_date": "date_from_parts",
    "make_timestamp": "to_timestamp_ntz",
    "printf": "||",
    "quantile_cont": "percentile_cont",
    "range": "dbt.generate_series",
    "read_csv": "the loader",
    "regexp_extract": "regexp_substr",
    "regexp_full_match": "regexp_like",
    "regexp_matches": "regexp_like",
    "starts_with": "startswith",
    "strftime": "to_varchar",
    "string_agg": "listagg",
    "string_split": "split",
    "string_to_array": "split",
    "strpos": "position",
    "strptime": "to_timestamp_ntz",
    "struct_pack": "object_construct",
    "to_timestamp": "to_timestamp_ntz, which no session setting changes",
    "unnest": "lateral flatten",
}
FORMS = {
    r"//": "// is a comment there: use floor of a quotient",
    r"\bfilter\s*\(": "an aggregate has no filter there: use case inside it",
    r"\bfrom\s+range\b": "there is no table function range",
    r",\s*(from|where|group|order|having|qualify)\b": "a comma before a clause",
    r",\s*\)": "a comma before a bracket",
    r"\b(semi|anti|positional|asof)\s+join\b": "there is no such join",
    r"\bby\s+name\b": "union matches columns by position",
    r"\bcolumns\s*\(": "there is no columns(…)",
    r"->>?\s*'": "JSON is read by path there",
    r"\[\s*\d*\s*:": "arrays have no slices",
    r"\blambda\b|\b\w+\s*->": "there are no such lambdas",
    r"\busing\s+sample\b": "sample stands after the table there",
    r"\be'": "there are no escape strings",
    r"\bdistinct\s+on\b": "there is no distinct on: use qualify",
    r"\bnatural\s+full\b": "there is no natural full join",
}
TYPES = {
    *("BIGINT", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "INT"),
    *("DATETIME", "TEXT", "TIMESTAMPNTZ", "VARCHAR"),
}
# Snowflake's reserved words: none can be a name without quotes.
RESERVED_WORDS = """
    account all alter and any as asof between by case cast check column connect
    connection constraint create cross current current_date current_time
    current_timestamp current_user database delete distinct drop else exists false
    following for from full grant group gscluster having ilike in increment inner
    insert intersect into is issue join lateral left like localtime localtimestamp
    match_condition minus natural not null of on or order organization qualify
    regexp revoke right rlike row rows sample schema select set some start table
    tablesample then to trigger true try_cast union unique update using values view
    when whenever where with
"""
RESERVED = set(RESERVED_WORDS.split())


def faults(sql: str) -> list[str]:
    """What Snowflake would refuse, or read otherwise, in a query or statement."""
    found = []
    literals = re.findall(r"'(?:[^']|'')*'", sql)
    if any("\\" in literal for literal in literals):
        found.append("a backslash in a literal escapes what follows there")
    bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL)
    bare = re.sub(r"\$\$.*?\$\$", "''", bare, flags=re.DOTALL)
    bare = re.sub(r"'(?:[^']|'')*'", "''", bare).lower()
    for name in sorted(set(re.findall(r"\b([a-z_]\w*)\s*\(", bare))):
        if name in DENIED:
            found.append(f"{name}(: use {DENIED[name]}")
        elif name not in FUNCTIONS | WORDS and not is_defined(name, bare):
            found.append(f"{name}( is not known to be a function of Snowflake")
    found += [f"{why}" for form, why in FORMS.items() if re.search(form, bare)]
    try:
        trees = sqlglot.parse(sql, read="snowflake")
    except sqlglot.errors.SqlglotError as error:
        return [*found, str(error).splitlines()[0]]
    for tree in filter(None, trees):
        found += shadowed(tree, {})
        for kind in tree.find_all(exp.DataType):
            if kind.this.name not in TYPES:
                found.append(f"{kind.this.name} is not known to be a type there")
        for name_node in tree.find_all(exp.Identifier):
            name = name_node.name.lower()
            if name in RESERVED and not name_node.quoted:
                found.append(f"{name} is a reserved word there")
    return found


def is_defined(name: str, sql: str) -> bool:
    """Whether a name before a bracket is a table with a list of its columns."""
    return bool(re.search(rf"\b(as|into|exists|table|view)\s+[\w.]*\b{name}\s*\(", sql))


# --- The tree, compiled without a server

KINDS = {"model", "snapshot", "analysis", "test"}

BUILT = "int_user_days_summed"
NODE = f"model.reelhouse.{BUILT}"
DATA = '{"raw.ratings": "key/shape"}'
READING = {"select", "with"}
# What an account says of a ledger, by words of the question: a row, or none.
ANSWERS: dict[str, dict[str, object] | None] = {
    "select node, own": {
        **{"node": NODE, "own": "{}", "rules": "rules", "data": DATA},
        **{"shape": None, "row_count": None},
    },
    "select node, rules": {"node": NODE, "rules": "rules", "data": DATA},
    "where invocation_id <>": None,
    "min(found.table_type)": {
        "relation": f"intermediate.{BUILT}",
        "shape": "table user_id NUMBER 38 0",
    },
    "describe table": {"name": "USER_ID", "type": "NUMBER(38,0)"},
    "count(*) as row_count": {"relation": f"intermediate.{BUILT}", "row_count": 7},
    "order by load_id desc": {"load_id": 1, "loaded_at": "2026-01-01 00:00:00"},
}


class Compiled:
    """What dbt compiles for prod, and what it sends when a build begins and ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent: list[str] = []
        self.has_tables = False
        self.manifest: Any = None

    def __enter__(self) -> Compiled:
        connector()  # before dbt, which would let it warn
        from dbt.adapters.contracts.connection import AdapterResponse, ConnectionState
        from dbt.adapters.snowflake.connections import SnowflakeConnectionManager
        from dbt.adapters.snowflake.impl import SnowflakeAdapter
        from dbt_common.clients.agate_helper import table_from_data_flat

        def execute(_: Any, sql: str, *__: Any, **___: Any) -> Any:
            self.sent.append(sql)
            answer: dict[str, object] | None = {"value": 1, "name": "marts"}
            for words, said in ANSWERS.items():
                if words in sql:
                    answer = said
            rows = [answer] if answer else []
            return AdapterResponse("OK"), table_from_data_flat(
                rows, list(answer or "a")
            )

        def open_(_: Any, connection: Any) -> Any:
            connection.handle, connection.state = object(), ConnectionState.OPEN
            return connection

        def get_relation(
            adapter: Any, database: str, schema: str, identifier: str
        ) -> Any:
            return (
                adapter.Relation.create(database, schema, identifier, type="table")
                if self.has_tables
                else None
            )

        self.patch = pytest.MonkeyPatch()
        manager = SnowflakeConnectionManager
        self.patch.setattr(manager, "open", classmethod(open_))
        self.patch.setattr(manager, "close", classmethod(lambda _, each: each))
        self.patch.setattr(manager, "cancel_open", lambda _: [])
        self.patch.setattr(manager, "execute", execute)
        self.patch.setattr(SnowflakeAdapter, "get_relation", get_relation)
        for name in [each for each in os.environ if each.startswith("SNOWFLAKE_")]:
            self.patch.delenv(name)
        for name in ("ACCOUNT", "USER", "ROLE", "WAREHOUSE", "PRIVATE_KEY_PATH"):
            self.patch.setenv(f"SNOWFLAKE_{name}", "none")
        self.manifest = parsed(unbuilt("prod"))
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()

    def dbt(self, *command: str) -> Any:
        # dbt leaves marks in its manifest, so each command has a copy.
        # dbt 1.12 cannot copy a manifest that has selectors.
        self.manifest.selectors = {}
        copy = self.manifest.deepcopy()
        return invoke([*command], "prod", self.folder, self.folder, copy)

    def compile(self, has_tables: bool, *selection: str) -> dict[str, str]:
        """Compiled SQL by the id of its node; later runs see their tables."""
        self.has_tables = has_tables
        results = self.dbt(
            "compile", "--no-populate-cache", "--no-introspect", *selection
        )
        return {
            each.node.unique_id: each.node.compiled_code
            for each in results
            if each.node.resource_type in KINDS
        }


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiled]:
    with Compiled(tmp_path_factory.mktemp("prod")) as tree:
        yield tree


@pytest.fixture(scope="module")
def queries(compiled: Compiled) -> dict[str, str]:
    """Compiled SQL of first runs, and what later runs have instead."""
    first = compiled.compile(False)
    later = compiled.compile(True, "--select", "config.materialized:incremental")
    changed = {f"{n} (later)": q for n, q in later.items() if q != first[n]}
    return {**first, **changed}


def test_every_node_is_compiled_on_both_kinds_of_run(
    queries: dict[str, str], compiled: Compiled
) -> None:
    expected = {
        node.unique_id
        for node in compiled.manifest.nodes.values()
        if node.resource_type in KINDS and node.config.materialized != "ephemeral"
    }
    assert expected <= set(queries)
    later = {name.split()[0] for name in queries if name.endswith("(later)")}
    incremental = {
        node.unique_id
        for node in compiled.manifest.nodes.values()
        if node.resource_type == "model" and node.config.materialized == "incremental"
    }
    assert incremental
    assert later == incremental


def test_compiled_queries_are_snowflake_sql(queries: dict[str, str]) -> None:
    found = {name: faults(query) for name, query in queries.items()}
    assert not {name: each for name, each in found.items() if each}


def test_what_begins_and_ends_a_build_is_snowflake_sql(compiled: Compiled) -> None:
    compiled.has_tables = False
    compiled.sent.clear()
    compiled.dbt("run", "--select", BUILT, "--no-populate-cache")
    sent = [sql for sql in compiled.sent if re.search(r"\bstate\b|found\.", sql)]
    changing = [sql.split()[0] for sql in sent if sql.split()[0] not in READING]
    # The ledger that is there seems to be another version's.
    assert changing == [
        *("drop", "create", "create"),
        *("delete", "insert", "update", "delete"),
    ]
    assert len({sql for sql in sent if "is_whole from" in sql}) == 1
    found = {sql: faults(sql) for sql in sent}
    assert not {name: each for name, each in found.items() if each}


PLANTED = [
    *(f"select {name}(a) from b" for name in DENIED),
    "select no_such_function(a) from b",
    "select a // 2 from b",
    "select count(*) filter (where c) from b",
    "select count(*) filter(where c) from b",
    "select a, from b",
    "select a from b where c in (1, 2,)",
    "select a from b semi join c on b.d = c.d",
    "select a from b union all by name select a from c",
    "select a from range(3)",
    "select columns('x') from b",
    "select a[1:2] from b",
    "select distinct on (a) a from b",
    r"select replace(a, '\', '') from b",
    "select cast(a as hugeint) from b",
    "select cast(a as varchar[]) from b",
    "select a::json from b",
    "with rows as (select a from b) select a from rows",
    "select a as sample from b",
    "select order from b",
    "select max(a) as a from b order by a desc",
    "with c as (select a from b) select 1 as a from c having a > 0",
    "select lower(a) as a from b qualify row_number() over (partition by a) = 1",
]


def test_planted_faults_are_found() -> None:
    assert faults("select max(a) as b from c") == []
    assert [planted for planted in PLANTED if not faults(planted)] == []


# --- The set-up

# sqlfluff does not know how these statements are laid out, and names are in
# capitals as Snowflake shows them.
UNKNOWN_LAYOUT = "CP02,LT02"


@pytest.mark.long
@pytest.mark.parametrize("part", SQL_PARTS)
def test_set_up_passes_sqlfluff(part: str) -> None:
    config = FluffConfig.from_path(
        str(PROJECT),
        overrides={
            "dialect": "snowflake",
            "templater": "raw",
            "exclude_rules": UNKNOWN_LAYOUT,
        },
    )
    text = render(setup_for(part), part)
    lines = text.splitlines()
    found = [
        (each.line_no, each.rule_code(), each.desc())
        for each in Linter(config=config).lint_string(text).get_violations()
        # A key is as long as it is, and a policy's parameters stand in brackets.
        if not (
            each.rule_code() == "LT05" and "rsa_public_key" in lines[each.line_no - 1]
        )
        and not (each.rule_code() == "LT01" and "returns" in lines[each.line_no - 1])
    ]
    assert not found
