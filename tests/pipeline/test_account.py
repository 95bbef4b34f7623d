"""Runs in an emulated account: what readers may see, and what goes wrong there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.delivery import Delivery

from reelhouse import snowflake_setup
from reelhouse.emulator import EmulatorSettings, serve_emulator
from reelhouse.emulator import environment as account_variables
from reelhouse.engines.snowflake import open_warehouse
from reelhouse.engines.snowflake_run import Account

pytestmark = [
    pytest.mark.long,
    # The adapter uses an argument that the connector would have under another name.
    pytest.mark.filterwarnings("ignore:The 'insecure_mode':DeprecationWarning"),
]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorSettings]:
    """An empty account, to which the variables lead."""
    with serve_emulator() as settings:
        for name, value in account_variables(settings).items():
            monkeypatch.setenv(name, value)
        yield settings


def may(account: Account, *what: str) -> set[tuple[str, str]]:
    """Each privilege on some things, and the database role that has it."""
    return {
        (row[1], row[5].rpartition(".")[2])
        for thing in what
        for row in account.ask(f"show grants on {thing}")
    }


@pytest.mark.usefixtures("emulator")
def test_readers_may_read_what_is_published_and_nothing_else(
    delivery: Delivery,
) -> None:
    parts = ["account", "database", "access", "whole-run"]
    with snowflake_setup.connect() as connection:
        setup = snowflake_setup.variables({}, parts)
        snowflake_setup.apply(connection, setup, parts)
    delivery.target = "prod"
    for _ in range(2):
        delivery.run()
        with open_warehouse() as warehouse:
            account = Account(warehouse.connection)
            assert may(account, "schema serving") == {("USAGE", "SERVING_READ")}
            # It has been SERVING, or is to be filled.
            assert may(account, "schema serving_next") == set()
            relations = account.ask(
                "select lower(table_schema), 'view ' || lower(table_name) "
                "from information_schema.views union all "
                "select lower(table_schema), 'table ' || lower(table_name) "
                "from information_schema.tables where table_type = 'BASE TABLE'"
            )
            names: dict[str, list[str]] = {}
            for schema, name in relations:
                names.setdefault(schema, []).append(name.replace(" ", f" {schema}."))
            assert len(names["serving"]) > 30
            assert any(name.startswith("view") for name in names["serving"])
            for name in names["serving"]:
                assert may(account, name) == {("SELECT", "SERVING_READ")}, name
            for schema in ("raw", "staging", "intermediate", "marts", "snapshots"):
                roles = {role for _, role in may(account, *names[schema])}
                assert roles <= {f"{schema.upper()}_READ", "RAW_WRITE"}, schema
                assert {role for _, role in may(account, f"schema {schema}")} == {
                    f"{schema.upper()}_READ",
                    f"{schema.upper()}_WRITE",
                }
