"""Tables, views and schemas: comments, temporary ones, MERGE, CLONE and SWAP."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlglot
from fakesnow.transforms.merge import operations
from sqlglot import Expr, exp

from reelhouse.engines.duckdb.connection import identifier, literal
from reelhouse.local.emulator.deviations import (
    DONE,
    NAME,
    Name,
    NotEmulated,
    answer,
    full_name,
    matched,
    name_of,
    text_of,
)
from reelhouse.local.emulator.widths import check_widths, widths_of

if TYPE_CHECKING:
    from reelhouse.local.emulator.session import Session

_TEXT = r"(?:\$\$.*?\$\$|'(?:[^'\\]|\\.|'')*')"
_COMMENT = re.compile(
    rf'(?:column )?(?P<column>"(?:[^"]|"")*"|[\w$]+) comment (?P<text>{_TEXT})',
    re.IGNORECASE | re.DOTALL,
)
_ALTER_COLUMNS = (
    rf"alter (?:table|view) (?P<name>{NAME}) (?:alter|modify) (?P<comments>.*)"
)
_CLONE = (
    r"create(?P<replace> or replace)?(?P<transient> transient)? table"
    rf" (?P<target>{NAME}) clone (?P<source>{NAME})"
)
_SWAP = rf"alter schema (?P<left>{NAME}) swap with (?P<right>{NAME})"
_CONTAINER = (
    r"(?P<create>create)(?: transient)? (?P<kind>database|schema)"
    rf"(?P<careful> if not exists)? (?P<name>{NAME})(?P<properties> .*)?"
)
# A table beside DuckDB's own catalog, for the tables and views of all databases.
KINDS = """
create table _fs_global._fs_information_schema._emulator_kinds (
    ext_table_catalog varchar,
    ext_table_schema varchar,
    ext_table_name varchar,
    is_transient boolean,
    text varchar
);
"""
# What to replace in the information schema's view of tables, and by what.
NO_TRANSIENT = """'NO' AS "IS_TRANSIENT\""""
IS_TRANSIENT = """
    if(
        (tables.database_name, tables.schema_name, tables.table_name, true)
        in (
            select * exclude text
            from _fs_global._fs_information_schema._emulator_kinds
        ),
        'YES',
        'NO'
    ) AS "IS_TRANSIENT"
"""
# The same for its view of views.
VIEW_SQL = "sql as VIEW_DEFINITION"
VIEW_TEXT = """
    (
        select text from _fs_global._fs_information_schema._emulator_kinds
        where
            ext_table_catalog = database_name
            and ext_table_schema = schema_name
            and ext_table_name = view_name
    ) as VIEW_DEFINITION
"""
_KEPT_BESIDE = ("_fs_tables_ext", "_fs_columns_ext", "_emulator_kinds")


@dataclass(frozen=True)
class Made:
    """A table or view that a statement creates, and what to record about it."""

    name: Name
    is_transient: bool
    comments: dict[str, str]
    widths: dict[str, int]


def made_by(session: Session, expression: Expr) -> Made | None:
    """Return what a CREATE TABLE or VIEW will create; None for other statements.

    Removes the comments on columns from it, because DuckDB does not allow them there.
    """
    if isinstance(expression, exp.Alter) and expression.find(exp.AlterRename):
        raise NotEmulated("RENAME of a table or a view")
    kind = str(expression.args.get("kind")).upper()
    if not isinstance(expression, exp.Create) or kind not in {"TABLE", "VIEW"}:
        return None
    comments = _take_comments(expression)
    name = _name(session, expression.find(exp.Table))
    if expression.args.get("exists") and session.columns(name):
        return None
    is_transient = expression.find(exp.TransientProperty) is not None
    widths = widths_of(session, expression) if kind == "TABLE" else {}
    return Made(name, is_transient, comments, widths)


def follow(session: Session, made: Made, text: str) -> None:
    """Record the comments, kind, text and widths of what was created."""
    _comment(session, made.name, made.comments)
    note_made(session, made.name, made.is_transient, text)
    session.account.widths[made.name] = made.widths


def _name(session: Session, table: Any) -> Name:
    return name_of(table, session.database, session.schema)


def _take_comments(create: exp.Create) -> dict[str, str]:
    comments = {}
    for column in create.find_all(exp.ColumnDef):
        for constraint in [*(column.args.get("constraints") or ())]:
            if isinstance(constraint.kind, exp.CommentColumnConstraint):
                name = column.name if column.this.quoted else column.name.upper()
                comments[name] = text_of(constraint.kind.this) or ""
                constraint.pop()
    return comments


def _comment(session: Session, name: Name, comments: dict[str, str]) -> None:
    for column, comment in comments.items():
        session.duck.execute(
            f"comment on column {name.sql}.{identifier(column)} is {literal(comment)}"
        )


def note_made(session: Session, name: Name, is_transient: bool, text: str) -> None:
    """D25: Record the text that created a table or view; a view's definition shows it.

    Stock fakesnow shows DuckDB's version of it. Snowflake shows the statement as sent,
    with its comments, even if the view was renamed since. So do we.
    """
    with session.account.ledger() as ledger:
        ledger.execute(
            "delete from _fs_global._fs_information_schema._emulator_kinds where "
            "(ext_table_catalog, ext_table_schema, ext_table_name) = (?, ?, ?)",
            list(name),
        )
        ledger.execute(
            "insert into _fs_global._fs_information_schema._emulator_kinds "
            "values (?, ?, ?, ?, ?)",
            [*name, is_transient, text],
        )


def _is_transient(session: Session, name: Name) -> bool:
    with session.account.ledger() as ledger:
        known = ledger.execute(
            "select is_transient "
            "from _fs_global._fs_information_schema._emulator_kinds where "
            "(ext_table_catalog, ext_table_schema, ext_table_name) = (?, ?, ?)",
            list(name),
        ).fetchall()
    return known == [(True,)]


def comment_on_columns(session: Session, text: str) -> str | None:
    """D4: Comments on several columns in one ALTER, and in the column list of a CREATE.

    Stock fakesnow accepts one column at a time, and forgets the comment. Snowflake
    keeps them all. Here each becomes DuckDB's COMMENT ON COLUMN, which the
    information schema shows.
    """
    found = matched(_ALTER_COLUMNS, text)
    if not found:
        return None
    comments = list(_COMMENT.finditer(found["comments"]))
    if _COMMENT.sub("", found["comments"]).strip(", "):
        return None
    name = full_name(found["name"], session.database, session.schema)
    _comment(
        session,
        name,
        {
            full_name(each["column"], None, None, 1).database: str(
                text_of(sqlglot.parse_one(each["text"], read="snowflake"))
            )
            for each in comments
        },
    )
    return DONE


def make_ordinary(session: Session, expression: Expr) -> None:
    """D5: Make TEMPORARY tables and views ordinary ones until their session ends.

    Stock fakesnow passes them to DuckDB, whose temporary tables cannot be named with a
    schema. On Snowflake only their session sees them, and they hide an ordinary table
    of the same name. Here every session sees them, and one that would hide an ordinary
    table or view is refused.
    """
    if not isinstance(expression, exp.Create):
        return
    kind = str(expression.args.get("kind")).upper()
    temporary = expression.find(exp.TemporaryProperty)
    if kind not in {"TABLE", "VIEW"} or not temporary:
        return
    name = _name(session, expression.find(exp.Table))
    with session.account.lock:
        if session.columns(name) and name not in session.account.temporary:
            raise NotEmulated(f"a temporary {kind} that hides {name}")
        session.account.temporary.add(name)
    session.temporary[name] = kind
    temporary.pop()


def merge(session: Session, expression: exp.Merge, params: Any) -> Expr:
    """D7: Run MERGE as DuckDB's own MERGE.

    Stock fakesnow rewrites it into several statements, in which names become
    ambiguous. Snowflake runs it as one, and unless the account says otherwise refuses
    two source rows that would both change a target row. Here DuckDB runs it, and always
    refuses them; the answer has the counts that Snowflake would return.
    """
    sql = expression.sql(dialect="duckdb") + " returning merge_action"
    with session.whole():
        done = Counter(row[0] for row in session.duck.execute(sql, params).fetchall())
        check_widths(session, expression)
    counted = [
        # DuckDB's actions are INSERT, UPDATE and DELETE.
        f'{done[verb.upper()[:6]]} as "number of rows {verb}"'
        for verb, clauses in operations(expression).items()
        if clauses
    ]
    counts = sqlglot.parse_one(f"select {', '.join(counted)}", read="duckdb")
    counts.set("merge_counts", True)
    return counts


def table_comment_sql(catalog: str, schema: str, table: str, comment: object) -> str:
    """D8: Keep comments on tables and views with any characters in them.

    Stock fakesnow fails on an apostrophe, accepts no comment between dollar signs, and
    stores 'None' if there is no comment. Snowflake keeps any text. So do we.
    """
    values = ", ".join(literal(value) for value in (catalog, schema, table, comment))
    return (
        f"insert into _fs_global._fs_information_schema._fs_tables_ext "
        f"values ({values}) "
        f"on conflict (ext_table_catalog, ext_table_schema, ext_table_name) "
        f"do update set comment = excluded.comment"
    )


def unquote_comments(expression: Expr) -> None:
    """Turn comments between dollar signs into ordinary literals (D8)."""
    for holder in expression.find_all(exp.SchemaCommentProperty, exp.Comment):
        key = "expression" if isinstance(holder, exp.Comment) else "this"
        if isinstance(holder.args[key], exp.RawString):
            holder.set(key, exp.Literal.string(holder.args[key].name))


def clone_table(session: Session, text: str) -> str | None:
    """D12: CREATE TABLE … CLONE, with types, NOT NULL, comments and rows.

    Stock fakesnow copies only rows and types. Snowflake shares the storage, and refuses
    a permanent clone of a transient table. So do we, but by copying, and without keys.
    COPY GRANTS is refused.
    """
    found = matched(_CLONE, text)
    if not found:
        return None
    target, source = (
        full_name(found[role], session.database, session.schema)
        for role in ("target", "source")
    )
    if session.columns(target) and not found["replace"]:
        raise ValueError(f"Object '{target}' already exists.")
    is_transient = bool(found["transient"])
    if _is_transient(session, source) and not is_transient:
        raise ValueError("Transient object cannot be cloned to a permanent object.")
    with session.whole():
        _copy_table(session, source, target)
    _copy_beside(session, source, target)
    session.account.widths[target] = session.account.widths.get(source, {})
    note_made(session, target, is_transient, text)
    return answer(["status"], [[f"Table {target.name} successfully created."]])


def swap_schemas(session: Session, text: str) -> str | None:
    """D13: ALTER SCHEMA … SWAP WITH …, in one transaction of DuckDB.

    Stock fakesnow does not know this statement. Snowflake renames both schemas at once;
    privileges stay with the objects, and views keep their text. Here tables are copied
    to the other schema, views are created again, and both keep their comments.
    """
    found = matched(_SWAP, text)
    if not found:
        return None
    left, right = (
        full_name(found[side], session.database, None, 2) for side in ("left", "right")
    )
    if left.database != right.database:
        raise NotEmulated("SWAP between databases")
    for each in (left, right):
        known = session.duck.execute(
            "select 1 from duckdb_schemas() "
            "where (database_name, schema_name) = (?, ?)",
            [each.database, each.schema],
        ).fetchall()
        if not known:
            raise ValueError(f"Schema '{each.database}.{each.schema}' does not exist.")
    with session.whole():
        _swap(session, left, right)

    def other(name: Name) -> Name:
        swapped = {left[:2]: right[:2], right[:2]: left[:2]}
        return Name(*swapped.get(name[:2], name[:2]), name.name)

    _rename_beside(session, other)
    widths = session.account.widths
    session.account.widths = {other(name): each for name, each in widths.items()}
    return DONE


def _copy_table(session: Session, source: Name, target: Name) -> None:
    columns = session.columns(source)
    if not columns:
        raise ValueError(f"Object '{source}' does not exist or not authorized.")
    definitions = ", ".join(
        f"{identifier(name)} {data_type}"
        + ("" if is_nullable else " not null")
        + (f" default {default}" if default else "")
        for name, data_type, is_nullable, default, _ in columns
    )
    session.duck.execute(f"create or replace table {target.sql} ({definitions})")
    session.duck.execute(f"insert into {target.sql} select * from {source.sql}")
    _comment(
        session,
        target,
        {name: comment for name, *_, comment in columns if comment is not None},
    )


def _swap(session: Session, left: Name, right: Name) -> None:
    views = [
        (Name(database, schema, name), sql)
        for database, schema, name, sql in session.duck.execute(
            "select database_name, schema_name, view_name, sql from duckdb_views() "
            "where (database_name, schema_name) in ((?, ?), (?, ?)) "
            "order by view_oid",
            [*left[:2], *right[:2]],
        ).fetchall()
    ]
    comments = {
        view: {column[0]: column[4] for column in session.columns(view) if column[4]}
        for view, _ in views
    }
    tables = [
        Name(*row)
        for row in session.duck.execute(
            "select database_name, schema_name, table_name from duckdb_tables() "
            "where (database_name, schema_name) in ((?, ?), (?, ?)) order by all",
            [*left[:2], *right[:2]],
        ).fetchall()
    ]
    for view, _ in views:
        session.duck.execute(f"drop view {view.sql}")
    other = {left[:2]: right, right[:2]: left}
    moved = []
    for table in tables:
        waiting = other[table[:2]]._replace(name=f"{table.name} (on its way)")
        _copy_table(session, table, waiting)
        moved.append((waiting, table.name))
    for table in tables:
        session.duck.execute(f"drop table {table.sql}")
    for waiting, name in moved:
        session.duck.execute(f"alter table {waiting.sql} rename to {identifier(name)}")
    for view, sql in views:
        there = other[view[:2]]
        definition = sqlglot.parse_one(sql, read="duckdb")
        head = definition.find(exp.Table)
        assert head
        head.set("db", exp.to_identifier(there.schema, quoted=True))
        head.set("catalog", exp.to_identifier(there.database, quoted=True))
        session.duck.execute(definition.sql(dialect="duckdb"))
        _comment(session, there._replace(name=view.name), comments[view])


def _copy_beside(session: Session, source: Name, target: Name) -> None:
    with session.account.ledger() as ledger:
        for table in _KEPT_BESIDE:
            where = f"_fs_global._fs_information_schema.{table}"
            key = "(ext_table_catalog, ext_table_schema, ext_table_name) = (?, ?, ?)"
            ledger.execute(f"delete from {where} where {key}", list(target))
            ledger.execute(
                f"insert into {where} select ?, ?, ?, * exclude "
                f"(ext_table_catalog, ext_table_schema, ext_table_name) "
                f"from {where} where {key}",
                [*target, *source],
            )


def _rename_beside(session: Session, renamed: Callable[[Name], Name]) -> None:
    """Rename each table in what is stored beside DuckDB's catalog."""
    with session.account.ledger() as ledger:
        for table in _KEPT_BESIDE:
            where = f"_fs_global._fs_information_schema.{table}"
            rows = ledger.execute(f"select * from {where}").fetchall()
            ledger.execute(f"delete from {where}")
            for row in rows:
                ledger.execute(
                    f"insert into {where} values ({', '.join('?' * len(row))})",
                    [*renamed(Name(*row[:3])), *row[3:]],
                )


def without_properties(text: str) -> str | None:
    """D17: Run CREATE SCHEMA and CREATE DATABASE without MANAGED ACCESS and the like.

    Stock fakesnow refuses such properties. Snowflake applies them. Here the statement
    runs without what follows the name.
    """
    found = matched(_CONTAINER, text)
    if not found or not found["properties"]:
        return None
    if matched(" (clone|from) .*", found["properties"]):
        raise NotEmulated(text)
    return f"create {found['kind']}{found['careful'] or ''} {found['name']}"
