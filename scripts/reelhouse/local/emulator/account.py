"""Account-level statements: answered as done; only parameters take effect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from reelhouse.local.emulator.deviations import (
    DONE,
    NAME,
    NotEmulated,
    matched,
)

if TYPE_CHECKING:
    from reelhouse.local.emulator.session import Session

TABLES = """
create schema _fs_global.emulator;
create table _fs_global.emulator.statements (
    session integer,
    role varchar,
    text varchar
);
create table _fs_global.emulator.faults (
    pattern varchar,
    number integer,
    state varchar,
    message varchar,
    times integer
);
"""
# The emulator's own tables, which a query finds in every database.
OFFERED = {"STATEMENTS", "FAULTS"}

_KINDS = (
    "(?:database |application |account )?role|user|warehouse|resource monitor|"
    "(?:storage |security |notification |api |catalog )?integration|"
    "(?:network|password|session|authentication|masking|row access) policy|"
    "network rule|tag|streamlit|dbt project|task"
)
_PARAMETER = re.compile(r"(\w+) = '?([\w/]+)'?", re.IGNORECASE)


def accept_account_statement(session: Session, text: str) -> str | None:
    """D1: Answer account-level statements as done without running them.

    Stock fakesnow refuses to create, change or drop roles, users, warehouses,
    integrations, policies and resource monitors. Snowflake does it. Here nothing is
    done, so an answer proves nothing; but parameters set on the account are the
    defaults of sessions that open later.
    """
    if found := matched("alter account set (?P<parameters>.*)", text):
        for name, value in _PARAMETER.findall(found["parameters"]):
            session.account.defaults[name.upper()] = value
        return DONE
    form = rf"(?:create|alter|drop|describe)(?: or replace)? (?:{_KINDS}) .*"
    properties = rf"alter (?:account|database|schema)(?: {NAME})? (?:un)?set .*"
    return DONE if matched(form, text) or matched(properties, text) else None


def give_everything(_: Session, text: str) -> str | None:
    """D2: Answer GRANT and REVOKE as done; everybody may do everything.

    Stock fakesnow refuses both. Snowflake allows only what is granted. Here grants are
    neither checked nor stored, and SHOW GRANTS is refused.
    """
    if matched("show (?:future )?grants.*", text):
        raise NotEmulated("SHOW GRANTS")
    return DONE if matched("(?:grant|revoke) .* (?:to|from) .*", text) else None


def find_offered_tables(expression: Expr) -> None:
    """Point names of the emulator's own tables to the database that holds them."""
    for table in expression.find_all(exp.Table):
        if table.db.upper() == "EMULATOR" and table.name.upper() in OFFERED:
            table.set("catalog", exp.to_identifier("_fs_global"))
