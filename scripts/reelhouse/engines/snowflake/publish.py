"""Snowflake: bring SERVING_NEXT up to date and swap it with SERVING."""

from __future__ import annotations

from collections.abc import Callable, Collection

from reelhouse.engines.duckdb.connection import identifier
from reelhouse.engines.publication import (
    Build,
    Piece,
    Publication,
    describe,
    earlier,
    pieces_of,
    staying,
)
from reelhouse.engines.snowflake.connection import (
    UNKNOWN_OBJECT,
    Account,
    first_line,
    literal,
)
from reelhouse.engines.view_sql import refusal
from reelhouse.engines.warehouse import shapes_in

READERS = "serving_read"


class Publisher:
    """Publishes tables and views of an account's MARTS to its readers."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def publish(
        self, build: Build, before_swap: Callable[[], None] = lambda: None
    ) -> Publication:
        """Bring SERVING_NEXT up to date and swap it with SERVING, in one operation.

        SERVING_NEXT holds the publication before the current one; pieces that a build
        has not changed stay in it. Readers see the old version or the new one, and have
        no access to SERVING_NEXT until just before the swap. Views name no schema, so
        they read the one that they are in.
        """
        self.account.make_schemas("serving", "serving_next")
        has_readers = self._open_to_readers("serving_next", False)
        ((database,),) = self.account.ask("select current_database()")
        texts = dict(
            self.account.ask(
                "select lower(table_name), view_definition "
                "from information_schema.views where table_schema = 'MARTS'"
            )
        )
        pieces = pieces_of(build, texts, "snowflake", database)
        built = shapes_in(self.account.ask, "marts")
        stays = staying(self.account.ask, "serving_next", pieces, built, self._rows)
        # If this is killed from here on, the next publish trusts nothing in the schema.
        self.account.run("drop table if exists serving_next.published_tables")
        kinds = {piece.name: piece.kind for piece in pieces}
        kinds |= dict.fromkeys(
            ("publication", "publications", "published_tables"), "table"
        )
        for name, (kind, _) in shapes_in(self.account.ask, "serving_next").items():
            # Relations of the right kind stay, or are replaced.
            if kinds.get(name) != kind:
                self.account.run(f"drop {kind} serving_next.{name}")
        new = [piece for piece in pieces if piece.name not in stays]
        for piece in new:
            self._make(piece, is_view=piece.name in texts)
        rows = {**stays, **self._rows([piece.name for piece in new])}
        publication, described = describe(
            build, pieces, rows, earlier(self.account.ask), literal
        )
        for name, select in described.items():
            self.account.run(
                f"create or replace transient table serving_next.{name} as {select}"
            )
        before_swap()
        if has_readers:
            self._open_to_readers("serving_next", True)
        self.account.run("alter schema serving_next swap with serving")
        if has_readers:
            self._open_to_readers("serving_next", False)
        return publication

    def _rows(self, names: Collection[str]) -> dict[str, int]:
        """The numbers of rows of tables in SERVING_NEXT, by name."""
        counts = " union all ".join(
            f"select {literal(name)}, count(*) from serving_next.{name}"
            for name in names
        )
        return dict(self.account.ask(counts)) if counts else {}

    def _make(self, piece: Piece, is_view: bool) -> None:
        """Create a piece in SERVING_NEXT; `is_view` says that it is a view in MARTS."""
        name = piece.name
        if not is_view:
            self.account.run(
                f"create or replace transient table serving_next.{name} "
                f"clone marts.{name}"
            )
            return
        columns = ", ".join(
            f"{identifier(column)} comment {literal(comment or '')}"
            for column, comment in self.account.ask(
                "select column_name, comment from information_schema.columns "
                "where table_schema = 'MARTS' "
                f"and table_name = {literal(name.upper())} order by ordinal_position"
            )
        )
        ((comment,),) = self.account.ask(
            "select comment from information_schema.views "
            "where table_schema = 'MARTS' "
            f"and table_name = {literal(name.upper())}"
        )
        about = f"comment = {literal(comment or '')}"
        if not piece.view:
            self.account.run(
                f"create or replace transient table serving_next.{name} {about} "
                f"as select * from marts.{name}"
            )
            self.account.run(f"alter table serving_next.{name} alter {columns}")
            return
        self.account.run("use schema serving_next")
        try:
            self.account.run(
                f"create or replace view serving_next.{name} ({columns}) {about} "
                f"as {piece.view.text}"
            )
        except self.account.connection.ProgrammingError as error:
            raise refusal(name, first_line(error)) from error

    def _open_to_readers(self, schema: str, is_open: bool) -> bool:
        """Grant or revoke the readers' usage of a schema; False without their role."""
        verb, to = ("grant", "to") if is_open else ("revoke", "from")
        try:
            self.account.run(
                f"{verb} usage on schema {schema} {to} database role {READERS}"
            )
        except self.account.connection.ProgrammingError as error:
            if error.errno != UNKNOWN_OBJECT:
                raise
            return False
        return True
