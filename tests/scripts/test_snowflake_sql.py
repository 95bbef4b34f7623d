"""SQL for Snowflake, checked without it: the setup, pages, and the compiled tree."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlfluff.core import FluffConfig, Linter
from tests.delivery import unbuilt
from tests.project import PROJECT
from tests.scripts.test_snowflake_setup import SQL_PARTS, setup_for
from tests.snowflake_rules import DENIED, committed_by_ddl, faults, sent_faults

from reelhouse.dashboard.filters import Filters
from reelhouse.dashboard.page import At, pages, questions
from reelhouse.engines.snowflake.connection import connector
from reelhouse.transform.build import parsed
from reelhouse.transform.dbt import invoke
from tools.exposures import SOME
from tools.snowflake_setup import render

# --- The tree, compiled without a server

KINDS = {"model", "snapshot", "analysis", "test"}

BUILT = "int_user_days_summed"
NODE = f"model.reelhouse.{BUILT}"
DATA = '{"raw.ratings": "key/shape"}'
READING = {"select", "with"}
# The account's answers about a ledger, by words of the query: a row, or none.
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
    "lower(column_name) as column_name": {"column_name": "load_key"},
    "max(load_id) as load_id": {"load_id": 1},
}


class Compiled:
    """What dbt compiles for prod, and what it sends when a build starts and ends."""

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
        # dbt changes its manifest, so each command gets a copy. dbt 1.12 cannot copy a
        # manifest that has selectors.
        self.manifest.selectors = {}
        copy = self.manifest.deepcopy()
        return invoke([*command], "prod", self.folder, self.folder, copy)

    def compile(self, has_tables: bool, *selection: str) -> dict[str, str]:
        """Return compiled SQL by node id; `has_tables` compiles later runs."""
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
    """Compiled SQL of first runs, and that of later runs where it differs."""
    first = compiled.compile(False)
    later = compiled.compile(True, "--select", "config.materialized:incremental")
    changed = {f"{n} (later)": q for n, q in later.items() if q != first[n]}
    return {**first, **changed}


@pytest.mark.nightly
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


@pytest.mark.long
def test_compiled_queries_are_snowflake_sql(queries: dict[str, str]) -> None:
    found = {name: faults(query) for name, query in queries.items()}
    assert not {name: each for name, each in found.items() if each}


@pytest.mark.long
def test_questions_of_pages_are_snowflake_sql(compiled: Compiled) -> None:
    columns = {node.name: {*node.columns} for node in compiled.manifest.nodes.values()}
    asked = {
        sql
        for page in pages().values()
        for filters, of in ((Filters(), ""), (Filters(), "1"), (SOME, "1"))
        for sql in questions(page.at(At(filters, of)))
    }
    assert len(asked) > 50
    found = {sql: sent_faults(sql, columns) for sql in asked}
    assert not {sql: each for sql, each in found.items() if each}


def test_what_begins_and_ends_a_build_is_snowflake_sql(compiled: Compiled) -> None:
    compiled.has_tables = False
    compiled.sent.clear()
    compiled.dbt("run", "--select", BUILT, "--no-populate-cache")
    sent = [sql for sql in compiled.sent if re.search(r"\bstate\b|found\.", sql)]
    changing = [sql.split()[0] for sql in sent if sql.split()[0] not in READING]
    # The existing ledger seems to be another version's.
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
# Queries whose results depend on settings of a session.
UNSETTLED = [
    "select date_trunc('week', a) from b",
    "select dayofweek(a) from b",
    "select cast(rated_at as varchar) from b",
    "select md5(cast(cast('2026-01-01' as datetime) as varchar)) from b",
    "select 'on ' || rated_date from b",
    'select "a" from b',
    'select c.d from (select a as "d" from b) as c',
]


def test_planted_faults_are_found() -> None:
    assert faults("select max(a) as b from c") == []
    assert [planted for planted in PLANTED if not faults(planted)] == []
    fine = 'select cast(a as varchar) || \'week\' as "A title" from b -- "c"'
    assert sent_faults(fine) == []
    assert [each for each in UNSETTLED if not sent_faults(each)] == []
    sent = [(1, "begin"), (2, "create table a"), (1, "insert into a"), (1, "commit")]
    assert committed_by_ddl(sent) == []
    assert committed_by_ddl([(1, "BEGIN"), (1, "drop table a")]) == ["drop table a"]


# --- The setup

# sqlfluff does not know the layout of these statements, and names are in capitals as
# Snowflake shows them.
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
        # A key cannot be shorter, and a policy's parameters are in brackets.
        if not (
            each.rule_code() == "LT05" and "rsa_public_key" in lines[each.line_no - 1]
        )
        and not (each.rule_code() == "LT01" and "returns" in lines[each.line_no - 1])
    ]
    assert not found
