"""The tree on the emulated Snowflake: built there, and equal to DuckDB, row for row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.delivery import UNTESTED, Delivery
from tests.emulated import Client, copy_raw, differences

from reelhouse.build import BuildReport, build
from reelhouse.emulator import EmulatorSettings, environment, serve_emulator
from reelhouse.errors import ReelhouseError
from reelhouse.generate import generate
from reelhouse.s3 import S3Settings
from reelhouse.settings import environment as variables

# The adapter uses an argument that the connector would have under another name.
pytestmark = pytest.mark.filterwarnings("ignore:The 'insecure_mode':DeprecationWarning")

SNAPSHOTS = ("snap_movies", "snap_recommendations", "snap_tags")


@dataclass
class Both:
    """One bucket, and the tree built from it on either engine."""

    delivery: Delivery
    emulator: EmulatorSettings
    sql: Client
    folder: Path
    day: int = 0

    def deliver(self, files: dict[str, bytes], *removed: str) -> None:
        """Load a delivery into the warehouse, and its raw tables into the account."""
        self.day += 1
        self.delivery.moment = datetime(2026, 1, 1) + timedelta(days=self.day)
        self.delivery.put(files).remove(*removed)
        self.delivery.load()
        copy_raw(self.delivery, self.sql, self.folder)

    def build(self, *arguments: str, command: str = "build") -> BuildReport:
        """Build in the account."""
        settings = replace(self.delivery.settings, target="prod")
        with variables(environment(self.emulator)):
            return build(settings, settings.warehouse, None, arguments, command)

    def differences(self) -> dict[str, list[str]]:
        """What tells each published table, and each snapshot, from its counterpart."""
        newest = "select published from marts.builds order by started_at desc limit 1"
        ((published,),) = self.delivery.rows(newest)
        relations = {
            f"{each['schema']}.{each['name']}": set(each["ignored_columns"])
            for each in json.loads(published)
        } | {f"snapshots.{name}": {"dbt_scd_id"} for name in SNAPSHOTS}
        found = {
            relation: differences(self.delivery, self.sql, relation, ignored)
            for relation, ignored in relations.items()
        }
        assert len(found) > 30
        return {relation: told[:6] for relation, told in found.items() if told}

    def rows(self, relation: str) -> int:
        ((count,),) = self.sql(f"select count(*) from {relation}")
        return int(count)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prod")


@pytest.fixture(scope="module")
def first(folder: Path) -> dict[str, bytes]:
    """Clean files."""
    generate(folder / "clean", 3_000, 7)
    return {path.name: path.read_bytes() for path in (folder / "clean").glob("*.csv")}


@pytest.fixture(scope="module")
def second(folder: Path, first: dict[str, bytes]) -> dict[str, bytes]:
    """The same with faults and odd texts; rows are gone, late, tied and rated again."""
    generate(folder / "dirty", 3_000, 7, dirty=True)
    files = {path.name: path.read_bytes() for path in (folder / "dirty").glob("*.csv")}
    lines = first["ratings.csv"].split(b"\r\n")[1:-1]
    again = [line.split(b",") for line in lines[100:160]]
    files["ratings.csv"] = b"\r\n".join(
        [
            files["ratings.csv"].rstrip(b"\r\n"),
            *(b",".join([*each[:2], b"0.5", b"900000000"]) for each in again[:20]),
            *(b",".join([*each[:2], b"5.0", each[3]]) for each in again[20:40]),
            *(b",".join([*each[:2], b"4.5", b"1700000000"]) for each in again[40:]),
            b"9999991,9999999,3.0,1700000001",
            b"",
        ]
    )
    for line in lines[200:260]:
        files["ratings.csv"] = files["ratings.csv"].replace(line + b"\r\n", b"")
    titles = first["movies.csv"].split(b"\r\n")
    files["movies.csv"] = files["movies.csv"].replace(titles[3] + b"\r\n", b"")
    number, _, rest = titles[5].partition(b",")
    files["movies.csv"] = files["movies.csv"].replace(
        titles[5], number + b",Renamed (1950)," + rest.rpartition(b",")[2]
    )
    tags = files["tags.csv"].split(b"\r\n")
    files["tags.csv"] = b"\r\n".join(tags[:50] + tags[60:])
    return files


@pytest.fixture
def both(s3_server: S3Settings, bucket: str, tmp_path: Path) -> Iterator[Both]:
    delivery = Delivery(s3_server, bucket, tmp_path / "warehouse")
    with serve_emulator() as emulator:
        sql = Client(emulator, "MOVIELENS")
        yield Both(delivery, emulator, sql, tmp_path)
        sql.connection.close()
    delivery.close()


def test_both_engines_hold_the_same_rows(
    both: Both, first: dict[str, bytes], second: dict[str, bytes]
) -> None:
    for files in (first, second):
        both.deliver(files)
        assert both.build(*UNTESTED).failures == []
        assert both.delivery.build(*UNTESTED).failures == []
        assert both.differences() == {}
    # What dbt writes down holds no key.
    written = [each for each in both.delivery.warehouse.rglob("*") if each.is_file()]
    assert any(each.name == "manifest.json" for each in written)
    key = both.emulator.private_key.encode()
    assert not [each for each in written if key in each.read_bytes()]
    # The story has something to tell.
    assert both.rows("marts.dim_movies where is_inferred") > 0
    assert both.rows("marts.dim_movies where is_deleted") > 0
    assert both.rows("marts.dim_movies_history where previous_title is not null") > 0
    assert both.rows("snapshots.snap_tags where dbt_is_deleted = 'True'") > 0
    assert both.rows("marts.health_rejects") > 0
    assert both.rows("marts.mart_top_movies_by_genre") > 0


@pytest.mark.long
def test_a_build_ends_when_the_account_is_gone(
    s3_server: S3Settings,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from snowflake.connector.connection import DEFAULT_CONFIGURATION

    for name in ("LOGIN_SECONDS", "STATEMENT_SECONDS"):
        monkeypatch.setattr(f"reelhouse.engines.snowflake.{name}", 2)
    for name in ("login_timeout", "network_timeout"):
        monkeypatch.setitem(DEFAULT_CONFIGURATION, name, DEFAULT_CONFIGURATION[name])
    delivery = Delivery(s3_server, bucket, tmp_path / "warehouse")
    settings = replace(delivery.settings, target="prod")
    with serve_emulator() as emulator:
        pass
    # Otherwise the connector would go on trying.
    with (
        variables(environment(emulator)),
        pytest.raises(ReelhouseError, match="dbt did not build"),
    ):
        build(settings, settings.warehouse)


@pytest.mark.long
def test_every_test_passes_on_first_and_later_builds(
    both: Both, first: dict[str, bytes], second: dict[str, bytes]
) -> None:
    for files, removed in ((first, ()), (second, ()), (first, ("genome-scores.csv",))):
        both.deliver(
            {name: files[name] for name in files.keys() - {*removed}}, *removed
        )
        report = both.build()
        assert report.failures == []
        assert report.counts["unit_test"] > 80
        assert report.counts["test"] > 190
    assert both.delivery.build(*UNTESTED).failures == []
