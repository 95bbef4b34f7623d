"""What differs from another tree, built alone, ends as a whole build does.

Each layer is changed in a copy of the tree, which is built upon the sample as the
unchanged tree left it. The tests of the tree are left out where a change breaks a rule.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.delivery import UNTESTED, client, unbuilt
from tests.tree import copied

from reelhouse import build as building
from reelhouse import dbt_runner
from reelhouse.bucket import environment as aws_variables
from reelhouse.build import build, manifest_of
from reelhouse.changed import UNTRACED, ChangedReport, build_changed, untraced
from reelhouse.compare import Comparison, compare
from reelhouse.engines.duckdb import connect, open_warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.publish import prepare
from reelhouse.run import BuildFailed, RunReport
from reelhouse.s3 import S3Settings, upload
from reelhouse.settings import PROJECT, Settings, environment

# What builds do not read.
UNREAD = ("docs", "sample", ".mypy_cache")


@dataclass
class Bench:
    """The unchanged tree, whole in its folder as `make base` leaves it, and another."""

    settings: Settings
    base: Path
    tree: Path
    s3: S3Settings
    folder: Path

    @property
    def published(self) -> Path:
        return self.base / "data/warehouse/published.duckdb"

    def edit(self, name: str, before: str, after: str) -> None:
        path = self.tree / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{name} has {before!r} {text.count(before)}x"
        path.write_text(text.replace(before, after), encoding="utf-8")

    def build(self, *arguments: str) -> ChangedReport:
        """Build what differs."""
        with environment(aws_variables(self.s3)):
            return build_changed(self.settings, self.tree, self.base, arguments)

    def parse_again(self) -> None:
        building._manifests.clear()

    def whole(self) -> Path:
        """The file as published of a whole build of the changed tree."""
        settings = replace(self.settings, warehouse=self.folder / "whole")
        settings.warehouse.mkdir()
        base = self.base / "data/warehouse" / settings.database.name
        shutil.copyfile(base, settings.database)
        with open_warehouse(settings.database) as warehouse:
            assert warehouse.keep_raw_alone() == [1]
        report = build(settings, settings.warehouse, None, UNTESTED)
        assert not report.failures
        prepare(settings.database, settings.published, is_part=True)
        return settings.published


@pytest.fixture(scope="module")
def base(sample: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(PROJECT, tmp_path_factory.mktemp("trees") / "base", *UNREAD)
    warehouse = folder / "data/warehouse"
    warehouse.mkdir()
    for path in (sample.database, sample.published):
        shutil.copyfile(path, warehouse / path.name)
    manifest = folder / "target/manifest.json"
    manifest.parent.mkdir(exist_ok=True)
    manifest.write_text(json.dumps(manifest_of(sample)), encoding="utf-8")
    return folder


@pytest.fixture
def bench(
    base: Path,
    sample: Settings,
    s3_server: S3Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    tree = copied(base, tmp_path / "tree", *UNREAD)
    for module in (building, dbt_runner):
        monkeypatch.setattr(module, "PROJECT", tree)
    monkeypatch.setattr(building, "_manifests", {})
    # The sample may have been loaded from the bucket of another test process.
    with connect(sample.database, read_only=True) as connection:
        ((source,),) = connection.execute("select source from raw.loads").fetchall()
    bucket, _, folder = source.removeprefix("s3://").partition("/")
    upload(s3_server, [], f"s3://{bucket}")
    for path in (PROJECT / "data/sample").glob("*.csv"):
        client(s3_server).put_object(
            Bucket=bucket, Key=f"{folder}/{path.name}", Body=path.read_bytes()
        )
    settings = replace(
        sample,
        source=source,
        warehouse=tmp_path / "changed",
        s3_endpoint=s3_server.endpoint_url,
    )
    return Bench(settings, base, tree, s3_server, tmp_path)


def differing(comparison: Comparison) -> set[str]:
    return {table.name for table in comparison.tables if not table.is_equal}


def come_and_go(bench: Bench) -> None:
    """A mart comes, and another one goes with all that reads it."""
    folder = bench.tree / "models/marts/catalogue"
    for kind in ("sql", "yml"):
        text = (folder / f"mart_genre_ratings.{kind}").read_text(encoding="utf-8")
        # Without its unit tests, whose names are taken.
        text = text.replace("mart_genre_ratings", "mart_genre_scores")
        text = text.partition("\nunit_tests:")[0] + "\n"
        (folder / f"mart_genre_scores.{kind}").write_text(text, encoding="utf-8")
    for path in [*bench.tree.glob("models/marts/*/mart_user_tags.*")]:
        path.unlink()
    gone = "ref('mart_user_tags')"
    for part in ("models", "analyses", "tests/data_tests"):
        for path in [*(bench.tree / part).rglob("*.*")]:
            text = path.read_text(encoding="utf-8")
            if gone in text and path.suffix == ".sql":
                path.unlink()
            elif gone in text:
                lines = [line for line in text.splitlines() if gone not in line]
                path.write_text("\n".join(lines), encoding="utf-8")


def edits(*changes: tuple[str, str, str]) -> Callable[[Bench], None]:
    def change(bench: Bench) -> None:
        for each in changes:
            bench.edit(*each)

    return change


# What is changed, and tables in which it shows.
CHANGES: dict[str, tuple[Callable[[Bench], None], set[str]]] = {
    "seed": (
        edits(
            (
                "seeds/recommendation_categories.csv",
                "evergreen,100,3.5",
                "classic,9,3",
            )
        ),
        {"mart_movie_recommendations"},
    ),
    "macros": (
        edits(
            ("macros/exact/bayesian_average.sql", "{%- set m = ", "{%- set m = 7 + "),
            # One that is called by way of its dispatcher.
            ("macros/cross_db/iso_day_of_week.sql", "(isodow(", "(1 + isodow("),
        ),
        {"mart_movie_performance", "dim_dates"},
    ),
    "staging": (
        edits(
            (
                "models/staging/movielens/stg_movielens__ratings.sql",
                "        rating,\n",
                "        cast(6 - rating as decimal(2, 1)) as rating,\n",
            )
        ),
        # Known rows of an incremental table, which only a full refresh changes.
        {"fct_ratings"},
    ),
    "intermediate": (
        edits(
            (
                "models/intermediate/movies/int_movies_deduplicated.sql",
                "    from movies\n",
                "    from movies\n    where movie_id > 100\n",
            )
        ),
        # Were the old history kept, movies that never were would be deleted ones.
        {"dim_movies", "dim_movies_history"},
    ),
    "marts": (
        edits(
            (
                "models/marts/core/fct_ratings.sql",
                "        rating,\n        rated_at,\n",
                "        cast(rating / 2 as decimal(2, 1)) as rating,\n"
                "        rated_at,\n",
            ),
            (
                "models/marts/core/dim_genome_tags.sql",
                "select * from final",
                "select * from final where tag_id > 1",
            ),
        ),
        {"fct_ratings", "mart_movie_performance", "dim_genome_tags"},
    ),
    "snapshot": (
        edits(
            (
                "snapshots/snap_movies.yml",
                "      strategy: check\n",
                "      strategy: check\n"
                "      dbt_valid_to_current: cast('2999-12-31' as timestamp)\n",
            )
        ),
        {"dim_movies_history"},
    ),
    "configuration": (
        edits(
            (
                "models/intermediate/movies/int_genres_exploded.yml",
                "    columns:\n",
                "    config: {materialized: table}\n    columns:\n",
            )
        ),
        set(),
    ),
    "marts that come and go": (come_and_go, {"mart_genre_scores", "mart_user_tags"}),
}


@pytest.mark.long
@pytest.mark.parametrize("layer", CHANGES)
def test_a_changed_layer_ends_as_in_a_whole_build(bench: Bench, layer: str) -> None:
    change, shows_in = CHANGES[layer]
    change(bench)
    report = bench.build(*UNTESTED)
    assert report.reason is None
    # Less than the whole: otherwise nothing is proved.
    assert report.built.models < len(list(bench.tree.glob("models/**/*.sql")))
    whole = bench.whole()
    assert differing(compare(bench.settings.published, whole)) == set()
    found = differing(compare(bench.published, whole))
    assert found >= shows_in if shows_in else not found
    with pytest.raises(ReelhouseError, match="it ran with --defer"):
        prepare(bench.settings.database, bench.folder / "refused.duckdb")


@pytest.mark.long
def test_a_variable_ends_as_in_a_whole_build(bench: Bench) -> None:
    bench.edit("dbt_project.yml", "prior_count: 100", "prior_count: 10")
    report = bench.build()
    assert report.reason == "dbt_project.yml differs"
    found = compare(bench.published, bench.settings.published)
    assert "mart_movie_performance" in differing(found)
    assert differing(compare(bench.settings.published, bench.whole())) == set()


@pytest.mark.long
def test_a_changed_test_is_run_alone_and_may_fail(bench: Bench) -> None:
    name = "assert_dates_have_no_gap"
    bench.edit(f"tests/data_tests/{name}.sql", "'day', 1, ", "'day', 1 + 0, ")
    built = bench.build().built
    assert (built.models, built.tests) == (0, 1)
    path = bench.tree / f"tests/data_tests/{name}.sql"
    path.write_text("select * from {{ ref('dim_dates') }}\n", encoding="utf-8")
    bench.parse_again()
    with pytest.raises(BuildFailed) as failed:
        bench.build()
    assert [each.name for each in failed.value.report.failures] == [name]
    assert not bench.settings.published.exists()


@pytest.mark.long
def test_files_that_have_changed_are_loaded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, _, folder = bench.settings.source.removeprefix("s3://").partition("/")
    place = {"Bucket": bucket, "Key": f"{folder}/movies.csv"}
    movies = (PROJECT / "data/sample/movies.csv").read_bytes()
    first = movies.splitlines()[1]
    client(bench.s3).put_object(**place, Body=movies.replace(first, first + b"|War"))
    runs: list[Settings] = []

    def run(settings: Settings) -> RunReport:
        assert not settings.database.exists()
        runs.append(settings)
        return RunReport()

    monkeypatch.setattr("reelhouse.changed.run", run)
    assert bench.build().reason == "the files have changed since"
    assert runs == [bench.settings]


@pytest.mark.long
def test_no_change_builds_nothing(bench: Bench) -> None:
    report = bench.build()
    assert (report.reason, report.built.counts) == (None, Counter())
    assert differing(compare(bench.published, bench.settings.published)) == set()


@pytest.mark.parametrize("pattern", UNTRACED)
def test_what_dbt_does_not_trace_is_seen(tmp_path: Path, pattern: str) -> None:
    name = min(PROJECT.glob(pattern)).relative_to(PROJECT).as_posix()
    base, tree = tmp_path / "base", tmp_path / "tree"
    for folder in (base, tree):
        (folder / name).parent.mkdir(parents=True)
        shutil.copyfile(PROJECT / name, folder / name)
    assert untraced(tree, base) is None
    with (tree / name).open("a") as file:
        file.write("\n")
    assert untraced(tree, base) == f"{name} differs"
    (tree / name).unlink()
    assert untraced(tree, base) == f"{name} differs"
    assert untraced(base, tree) == f"{name} differs"


def test_every_macro_is_traced_or_known_not_to_be() -> None:
    manifest = manifest_of(unbuilt())
    macros = manifest["macros"]
    reached: set[str] = set()
    nodes = [*manifest["nodes"].values(), *manifest["unit_tests"].values()]
    todo = [
        name
        for node in nodes
        if node["resource_type"] != "operation"  # the hooks of a build
        for name in node.get("depends_on", {}).get("macros", [])
    ]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += macros[name]["depends_on"]["macros"]
    known = {
        path.relative_to(PROJECT).as_posix()
        for pattern in UNTRACED
        for path in PROJECT.glob(pattern)
    }
    ours = {
        each["original_file_path"]: name in reached
        for name, each in macros.items()
        if each["package_name"] == "reelhouse" and "__" not in each["name"]
    }
    assert len(ours) > 30
    assert {path for path, is_reached in ours.items() if not is_reached} <= known


def test_a_base_must_be_there(sample: Settings, tmp_path: Path) -> None:
    settings = replace(sample, warehouse=tmp_path / "changed")
    with pytest.raises(ReelhouseError, match="run `make base` first"):
        build_changed(settings, PROJECT, tmp_path)


def test_a_base_must_be_whole(sample: Settings, tmp_path: Path) -> None:
    for part in ("target/manifest.json", "data/warehouse/reelhouse.duckdb"):
        (tmp_path / part).parent.mkdir(parents=True)
        shutil.copyfile(sample.database, tmp_path / part)
    with connect(tmp_path / part) as connection:
        connection.execute("update marts.builds set is_complete = false")
    settings = replace(sample, warehouse=tmp_path / "changed")
    with pytest.raises(ReelhouseError, match="does not qualify"):
        build_changed(settings, PROJECT, tmp_path)
