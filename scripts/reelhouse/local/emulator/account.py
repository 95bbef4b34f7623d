"""Account-level statements and grants: written down, and enforced by nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import Expr, exp

from reelhouse.local.emulator.deviations import (
    DONE,
    NAME,
    Name,
    NotEmulated,
    answer,
    deviation,
    full_name,
    literal,
    matched,
)

if TYPE_CHECKING:
    from reelhouse.local.emulator.session import Session

TABLES = """
create schema _fs_global.emulator;
create table _fs_global.emulator.grants (
    privilege varchar,
    granted_on varchar,
    name varchar,
    granted_to varchar,
    grantee_name varchar,
    is_future boolean
);
create table _fs_global.emulator.faults (
    pattern varchar,
    number integer,
    state varchar,
    message varchar,
    times integer
);
"""
# Tables of the launcher itself, which a query finds in every database.
OFFERED = {"GRANTS", "FAULTS"}

_KINDS = (
    "(?:database |application |account )?role|user|warehouse|resource monitor|"
    "(?:storage |security |notification |api |catalog )?integration|"
    "(?:network|password|session|authentication|masking|row access) policy|"
    "network rule|tag"
)
_GRANT = (
    r"(?P<verb>grant|revoke) (?!all |grant option )(?P<privileges>.+?) "
    r"on (?P<scope>future |all )?(?P<kind>[a-z ]+?)(?: (?P<within>in schema|"
    rf"in database))? (?P<name>{NAME}) "
    rf"(?:to|from) (?P<to>role|database role) (?P<grantee>{NAME})"
)
_ROLE_GRANT = (
    rf"(?P<verb>grant|revoke) (?P<kind>database role|role) (?P<name>{NAME}) "
    rf"(?:to|from) (?P<to>role|database role|user) (?P<grantee>{NAME})"
)
_ACCOUNT_GRANT = (
    r"(?P<verb>grant|revoke) (?!all |grant option )(?P<privileges>.+?) on account "
    rf"(?:to|from) (?P<to>role) (?P<grantee>{NAME})"
)
_SHOW = (
    r"show (?P<future>future )?grants"
    rf"(?: (?P<how>on|to|of|in) (?:(?P<kind>[a-z ]+?) )?(?P<name>{NAME}))?"
)


@deviation("D1")
def accept_account_statement(_: Session, text: str) -> str | None:
    """Answer that what an account would do is done.

    Stock fakesnow refuses to create, change or drop roles, users, warehouses,
    integrations, policies and resource monitors. Snowflake does it. Here nothing is
    done, which proves nothing.
    """
    form = rf"(?:create|alter|drop|describe)(?: or replace)? (?:{_KINDS}) .*"
    properties = rf"alter (?:account|database|schema)(?: {NAME})? (?:un)?set .*"
    if not (matched(form, text) or matched(properties, text)):
        return None
    return DONE


def find_offered_tables(expression: Expr) -> None:
    """Lead the names of the launcher's own tables to where they are."""
    for table in expression.find_all(exp.Table):
        if table.db.upper() == "EMULATOR" and table.name.upper() in OFFERED:
            table.set("catalog", exp.to_identifier("_fs_global"))


@deviation("D2")
def keep_grants(session: Session, text: str) -> str | None:
    """GRANT, REVOKE and SHOW GRANTS on a table of grants that nothing enforces.

    Stock fakesnow refuses all three. Snowflake lets nobody do what no grant allows.
    Here grants are kept and shown; future grants reach new objects; an
    object that is replaced without COPY GRANTS, or dropped, loses those that it had;
    what a role may do is asked by nobody.
    """
    if found := matched(_SHOW, text):
        return _show_grants(session, found.groupdict(""))
    if not matched("(grant|revoke) .*", text):
        return None
    for pattern in (_ROLE_GRANT, _ACCOUNT_GRANT, _GRANT):
        if found := matched(pattern, text):
            break
    else:
        raise NotEmulated(f"this form of GRANT or REVOKE: {text}")
    said = found.groupdict("")
    to = said["to"].upper()
    grantee = _object(session, to, said["grantee"])
    for *granted, is_future in _granted(session, said):
        row = [*granted, to, grantee, is_future]
        with session.ledger() as ledger:
            ledger.execute(
                "delete from _fs_global.emulator.grants where (privilege, granted_on, "
                "name, granted_to, grantee_name, is_future) = (?, ?, ?, ?, ?, ?)",
                row,
            )
            if said["verb"].lower() == "grant":
                ledger.execute(
                    "insert into _fs_global.emulator.grants values (?, ?, ?, ?, ?, ?)",
                    row,
                )
    return DONE


def _granted(
    session: Session, said: dict[str, str]
) -> list[tuple[str, str, str, bool]]:
    """Privilege, kind and name of each thing that is granted, and whether to come."""
    if "privileges" not in said:
        kind = said["kind"].upper()
        return [("USAGE", kind, _object(session, kind, said["name"]), False)]
    privileges = [word.strip().upper() for word in said["privileges"].split(",")]
    if "kind" not in said:
        return [(privilege, "ACCOUNT", "", False) for privilege in privileges]
    kind = said["kind"].upper()
    if not said["scope"]:
        names = [_object(session, kind, said["name"])]
    else:
        kind = _singular(kind)
        scope = _object(session, said["within"].split()[-1], said["name"])
        names = [scope]
        if said["scope"].strip().lower() == "all":
            names = [str(each) for each in session.relations(kind, scope)]
    is_future = said["scope"].strip().lower() == "future"
    return [(word, kind, name, is_future) for word in privileges for name in names]


def _singular(kind: str) -> str:
    return {"STAGES": "STAGE"}.get(kind, kind.removesuffix("S"))


def _object(session: Session, kind: str, name: str) -> str:
    """The full name of an object of that kind, by what it lives in."""
    level = {
        "DATABASE": 1, "WAREHOUSE": 1, "INTEGRATION": 1, "ROLE": 1, "USER": 1,
        "SHARE": 1, "RESOURCE MONITOR": 1, "SCHEMA": 2, "DATABASE ROLE": 2,
    }.get(kind.upper(), 3)  # fmt: skip
    whole = full_name(name, session.database, session.schema, level)
    return ".".join(part for part in whole if part)


def _show_grants(session: Session, said: dict[str, str]) -> str:
    columns = ["privilege", "granted_on", "name", "granted_to", "grantee_name"]
    conditions = [f"is_future = {bool(said['future'])}"]
    name, kind = said["name"], said["kind"].upper()
    if said["how"].lower() in {"on", "in"}:
        whole = _object(session, kind, name)
        conditions += (
            [f"name = {literal(whole)}"]
            if said["future"]
            else [f"granted_on = {literal(kind)}", f"name = {literal(whole)}"]
        )
    elif name:
        whole = _object(session, kind or "ROLE", name)
        column = "name" if said["how"].lower() == "of" else "grantee_name"
        conditions.append(f"{column} = {literal(whole)}")
    with session.ledger() as ledger:
        rows = ledger.execute(
            f"select {', '.join(columns)}, 'false' "
            f"from _fs_global.emulator.grants "
            f"where {' and '.join(conditions)} order by all"
        ).fetchall()
    shown = [*columns, "grant_option"]
    if said["future"]:
        shown[1], shown[3] = "grant_on", "grant_to"
    return answer(
        ["created_on", *shown, "granted_by"], [["", *row, "SYSADMIN"] for row in rows]
    )


def grant_as_foreseen(session: Session, kind: str, name: Name) -> None:
    """Give a new object what future grants say; those of its schema outrank."""
    for scope in (f"{name.database}.{name.schema}", name.database):
        with session.ledger() as ledger:
            given = ledger.execute(
                "insert into _fs_global.emulator.grants "
                "select privilege, granted_on, ?, granted_to, grantee_name, "
                "false from _fs_global.emulator.grants "
                "where is_future and granted_on = ? and name = ? returning 1",
                [str(name), kind, scope],
            ).fetchall()
        if given:
            return


def forget_grants(session: Session, name: Name) -> None:
    with session.ledger() as ledger:
        ledger.execute(
            "delete from _fs_global.emulator.grants "
            "where not is_future and (name = ? or starts_with(name, ?))",
            [str(name).rstrip("."), f"{str(name).rstrip('.')}."],
        )


def rename_grants(session: Session, renamed: dict[str, str]) -> None:
    """Move grants, future ones too, from one name to another; all at once."""
    cases = " ".join(
        f"when name = {literal(old)} then {literal(new)} "
        f"when starts_with(name, {literal(old + '.')}) "
        f"then {literal(new)} || substr(name, {len(old) + 1})"
        for old, new in renamed.items()
    )
    with session.ledger() as ledger:
        ledger.execute(
            f"update _fs_global.emulator.grants set name = case {cases} else name end"
        )
