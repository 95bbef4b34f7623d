"""The Power BI project says only what the tree and the published tables say."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT7
from tests.delivery import query
from tests.project import PROJECT

from reelhouse.cli import main
from reelhouse.dashboard.page import pages as dashboards
from reelhouse.errors import ReelhouseError
from reelhouse.powerbi import (
    CONTENTS,
    project_files,
    published_columns,
    report,
    write_project,
)
from reelhouse.powerbi.model import MEASURES, TYPES, Model, dax, model_of
from reelhouse.powerbi.report import report_pages
from reelhouse.serving.metrics import metrics
from reelhouse.settings import Settings
from reelhouse.transform.build import manifest_of

# A copy of the folder `fabric` of Microsoft's json-schemas, if set.
SCHEMAS = os.environ.get("REELHOUSE_POWERBI_SCHEMAS", "")
DEFINITION = "Reelhouse.SemanticModel/definition"
TABLES = f"{DEFINITION}/tables"
PAGES = "Reelhouse.Report/definition/pages"
VISUALS = f"{PAGES}/overview/visuals"
Files = dict[str, str]
COLUMN = re.compile(r"^\tcolumn (\w+)$", re.MULTILINE)
MEASURE = re.compile(r"^\tmeasure '([^']+)' = ", re.MULTILINE)


def names_in(files: Files, names: re.Pattern[str]) -> dict[str, list[str]]:
    """Return the names that the files of tables define, by table."""
    return {
        Path(path).stem: names.findall(text)
        for path, text in files.items()
        if path.startswith(f"{TABLES}/")
    }


def fields_of(part: Any) -> Iterator[tuple[str, str, str]]:
    """Yield kind, table and name of every field in a visual, at any depth."""
    if isinstance(part, list):
        for each in part:
            yield from fields_of(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in {"Column", "Measure"}:
                table = value["Expression"]["SourceRef"]["Entity"]
                yield key, table, value["Property"]
            yield from fields_of(value)


@pytest.fixture(scope="module")
def manifest(sample: Settings) -> dict[str, Any]:
    return manifest_of(sample)


@pytest.fixture(scope="module")
def model(manifest: dict[str, Any]) -> Model:
    return model_of(manifest, metrics().values())


@pytest.fixture(scope="module")
def files(model: Model) -> Files:
    return project_files(model)


def call(sample: Settings, *arguments: object) -> Result:
    variables = {"DBT_TARGET": None, "REELHOUSE_WAREHOUSE": str(sample.warehouse)}
    return CliRunner().invoke(main, ["powerbi", *map(str, arguments)], env=variables)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- what is in it


@pytest.mark.long
def test_every_published_table_is_there_with_its_columns(
    sample: Settings, files: Files
) -> None:
    columns = names_in(files, COLUMN)
    del columns[MEASURES]
    _, rows = query(
        sample.published, "select name from published_tables where kind = 'table'"
    )
    assert {name for (name,) in rows} == set(columns)
    listed = re.findall(r"^ref table (\w+)$", files[f"{DEFINITION}/model.tmdl"], re.M)
    assert sorted(listed) == sorted([*columns, MEASURES])
    published = published_columns(sample)
    for table, there in columns.items():
        assert set(there) == {column for name, column in published if name == table}


def test_columns_have_the_kind_and_words_of_the_tree(
    manifest: dict[str, Any], files: Files
) -> None:
    text = files[f"{TABLES}/fct_genome_scores.tmdl"]
    described = manifest["nodes"]["model.reelhouse.fct_genome_scores"]
    assert text.startswith(f"/// {' '.join(described['description'].split())}\n")
    assert re.findall(r"^\tcolumn (\w+)\n\t\tdataType: (\w+)$", text, re.M) == [
        ("movie_id", "int64"),
        ("tag_id", "int64"),
        ("relevance", "double"),
    ]
    words = " ".join(described["columns"]["relevance"]["description"].split())
    assert f"\t/// {words}\n\tcolumn relevance\n" in text
    assert re.findall("sourceColumn: (.*)", text) == ["MOVIE_ID", "TAG_ID", "RELEVANCE"]


def test_relationships_are_the_tested_relations_of_published_tables(
    manifest: dict[str, Any], model: Model
) -> None:
    tested = set()
    for node in manifest["nodes"].values():
        about = node.get("test_metadata") or {}
        if about.get("name") == "relationships":
            child = node["attached_node"].rpartition(".")[2]
            parent = about["kwargs"]["to"].removeprefix("ref('").removesuffix("')")
            if {child, parent} <= set(model.tables):
                tested.add(
                    (child, node["column_name"], parent, about["kwargs"]["field"])
                )
    made = [
        (each.child, each.column, each.parent, each.field)
        for each in model.relationships
    ]
    assert len(made) > 20
    assert sorted(tested) == sorted(made)


def filtered(model: Model, table: str) -> list[str]:
    """Return the tables that a filter on a table reaches, once per way to them."""
    ways = [
        pair
        for each in model.relationships
        if each.is_active
        for pair in (
            (each.parent, each.child),
            *([(each.child, each.parent)] if each.is_both else []),
        )
    ]

    def reached(at: str, path: tuple[str, ...]) -> Iterator[str]:
        for start, end in ways:
            if start == at and end not in path:
                yield end
                yield from reached(end, (*path, end))

    return list(reached(table, (table,)))


def test_a_filter_finds_one_way_at_most(model: Model) -> None:
    """Power BI refuses a model with two ways between two tables."""
    for table in model.tables:
        ways = Counter(filtered(model, table))
        assert not [name for name, count in ways.items() if count > 1]
    inactive = [each for each in model.relationships if not each.is_active]
    assert {(each.child, each.column) for each in inactive} == {
        ("mart_movie_neighbours", "neighbour_movie_id"),
        # It is already filtered through its genre.
        ("mart_top_movies_by_genre", "movie_id"),
    }


def test_a_genre_filters_ratings_over_the_bridge(model: Model, files: Files) -> None:
    assert {"fct_ratings", "fct_tags", "dim_movies"} <= set(
        filtered(model, "dim_genres")
    )
    assert [each.child for each in model.relationships if each.is_both] == [
        "bridge_movies_genres"
    ]
    text = files["Reelhouse.SemanticModel/definition/relationships.tmdl"]
    (both,) = [each for each in text.split("\n\n") if "bothDirections" in each]
    assert "fromColumn: bridge_movies_genres.movie_id\n" in both


def test_a_slicer_acts_on_every_visual_of_its_page(model: Model, files: Files) -> None:
    measures = {each.label: each.table for each in metrics().values()}
    assert set(report_pages()) <= set(dashboards())
    for page, about in report_pages().items():
        for slicer in about.get("slicers", []):
            table, _, _ = slicer.partition(".")
            acts_on = {table, *filtered(model, table)}
            for name in about["visuals"]:
                visual = json.loads(files[f"{PAGES}/{page}/visuals/{name}/visual.json"])
                held = {
                    where if kind == "Column" else measures[field]
                    for kind, where, field in fields_of(visual)
                }
                # A visual shows what its measure counts; its columns only divide it.
                counted = held & set(measures.values()) or held
                assert counted <= acts_on, (page, table, name)


def test_measures_are_the_metrics(files: Files) -> None:
    names = names_in(files, MEASURE)
    assert names.pop(MEASURES) == [metric.label for metric in metrics().values()]
    assert not any(names.values())


def test_what_a_visual_or_a_relationship_names_is_there(files: Files) -> None:
    columns, measures = names_in(files, COLUMN), names_in(files, MEASURE)
    named = [
        field
        for path, text in files.items()
        if path.endswith("/visual.json")
        for field in fields_of(json.loads(text))
    ]
    assert len(named) > 60
    ends = re.findall(
        r"^\t(?:from|to)Column: (\w+)\.(\w+)$",
        files[f"{DEFINITION}/relationships.tmdl"],
        re.M,
    )
    assert len(ends) > 40
    for kind, table, name in [*named, *(("Column", *end) for end in ends)]:
        assert name in (columns if kind == "Column" else measures)[table]


def test_averages_are_sums_over_counts() -> None:
    made = {name: dax(metric) for name, metric in metrics().items()}
    assert made["average_rating"] == (
        "DIVIDE(SUM('fct_ratings'[rating]), COUNTA('fct_ratings'[movie_id]))"
    )
    genres = "'mart_genre_ratings'"
    assert made["weighted_average_rating"] == (
        f"DIVIDE(SUMX({genres}, {genres}[weighted_average_rating] "
        f"* {genres}[weighted_rating_count]), SUM({genres}[weighted_rating_count]))"
    )
    later = "KEEPFILTERS('mart_user_cohorts'[months_since] > 0)"
    assert made["retention"] == (
        f"DIVIDE(CALCULATE(SUM('mart_user_cohorts'[active_users]), {later}), "
        f"CALCULATE(SUM('mart_user_cohorts'[cohort_users]), {later}))"
    )
    month = "'mart_monthly_trends'[month]"
    assert made["active_users"] == (
        f"VAR newest = MAX({month}) RETURN CALCULATE("
        f"SUM('mart_monthly_trends'[active_users]), {month} = newest)"
    )
    assert not [name for name, text in made.items() if "AVERAGE" in text]


def test_measures_read_what_the_sql_reads() -> None:
    for metric in metrics().values():
        tables = set(re.findall(r"'(\w+)'", dax(metric)))
        columns = set(re.findall(r"\[(\w+)\]", dax(metric)))
        assert tables == {metric.table}
        measures = [metric.numerator, metric.denominator or metric.numerator]
        assert columns == {
            name
            for each in measures
            for name in (
                *each.columns,
                *([each.newest_by] if each.newest_by else []),
                *([each.condition.column] if each.condition else []),
            )
        }


def test_snowflake_is_named_by_four_parameters(files: Files) -> None:
    text = files["Reelhouse.SemanticModel/definition/expressions.tmdl"]
    assert re.findall(r"^expression (\w+) = ", text, re.M) == [
        "Server",
        "Warehouse",
        "Role",
        "Database",
    ]
    values = re.findall(r'= "([^"]+)" meta', text)
    guide = (PROJECT / "docs/snowflake.md").read_text(encoding="utf-8")
    page = (PROJECT / "docs/bi-tools.md").read_text(encoding="utf-8")
    for value in values:
        assert f"| `{value}` |" in page
    for value in values[1:]:
        assert value in guide
    source = files[f"{TABLES}/dim_movies.tmdl"]
    assert "Snowflake.Databases(Server, Warehouse, [Role = Role])" in source
    assert '[Name = "DIM_MOVIES", Kind = "Table"]' in source


def test_tmdl_is_indented_by_tabs_one_level_at_a_time(files: Files) -> None:
    for path, text in files.items():
        if path.endswith(".tmdl"):
            assert text.endswith("\n")
            depth, before = 0, ""
            for line in filter(None, text.splitlines()):
                tabs = len(line) - len(line.lstrip("\t"))
                # An expression after `=` is indented by two levels.
                assert tabs <= depth + (2 if before.endswith(" =") else 1), line
                assert line == line.rstrip()
                depth, before = tabs, line


@pytest.mark.parametrize("page", report_pages())
def test_every_visual_lies_on_the_page_and_none_on_another(
    files: Files, page: str
) -> None:
    folder = f"{PAGES}/{page}"
    size = json.loads(files[f"{folder}/page.json"])
    boxes = [
        json.loads(text)["position"]
        for path, text in files.items()
        if path.startswith(f"{folder}/visuals/")
    ]
    assert len(boxes) > 2
    for number, one in enumerate(boxes):
        assert 0 <= one["x"] <= size["width"] - one["width"]
        assert 0 <= one["y"] <= size["height"] - one["height"]
        for other in boxes[:number]:
            assert (
                one["x"] + one["width"] <= other["x"]
                or other["x"] + other["width"] <= one["x"]
                or one["y"] + one["height"] <= other["y"]
                or other["y"] + other["height"] <= one["y"]
            )


def test_the_theme_is_where_the_report_looks_for_it(files: Files) -> None:
    report = json.loads(files["Reelhouse.Report/definition/report.json"])
    (package,) = report["resourcePackages"]
    (item,) = package["items"]
    theme = report["themeCollection"]["customTheme"]
    assert (theme["name"], theme["type"]) == (item["name"], package["name"])
    path = f"Reelhouse.Report/StaticResources/{package['name']}/{item['path']}"
    assert json.loads(files[path])["dataColors"]


# --- what is refused


@pytest.mark.parametrize("name", ["dim_movies.name", "dim_films.title", "stars"])
def test_a_visual_of_what_is_not_published_is_named(
    model: Model, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for field in ("dim_movies.title", "average_rating"):
        pages = tmp_path / "report.yml"
        pages.write_text(report.PAGES.read_text("utf-8").replace(field, name))
        monkeypatch.setattr(report, "PAGES", pages)
        with pytest.raises(ReelhouseError, match=f"shows {name}, which is not publ"):
            project_files(model)
        monkeypatch.undo()


@pytest.mark.parametrize(
    "changed", [{"columns": ("stars",)}, {"table": "fct_stars"}], ids=str
)
def test_a_metric_of_what_is_not_published_is_named(
    manifest: dict[str, Any], changed: dict[str, Any]
) -> None:
    metric = metrics()["average_rating"]
    wrong = replace(metric, denominator=replace(metric.numerator, **changed))
    with pytest.raises(ReelhouseError, match=r"The metric average_rating uses .*star"):
        model_of(manifest, [wrong])


def test_a_type_without_a_word_is_named(manifest: dict[str, Any]) -> None:
    name = "model.reelhouse.dim_genres"
    node = manifest["nodes"][name]
    columns = {"genre": node["columns"]["genre"] | {"data_type": "json"}}
    changed = manifest | {
        "nodes": manifest["nodes"] | {name: node | {"columns": columns}}
    }
    with pytest.raises(
        ReelhouseError,
        match=r"dim_genres\.genre is of type json, which has no type of Power BI",
    ):
        model_of(changed, [])
    assert "json" not in TYPES


@pytest.mark.long
def test_a_column_that_is_not_published_is_named(
    sample: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = published_columns(sample) - {("dim_users", "tag_count")}
    monkeypatch.setattr("reelhouse.powerbi.published_columns", lambda _: there)
    with pytest.raises(ReelhouseError, match=r"not published \(dim_users\.tag_count\)"):
        write_project(sample, tmp_path / "project")
    assert not (tmp_path / "project").exists()


# --- Microsoft's schemas

ADDRESS = "https://developer.microsoft.com/json-schemas/fabric/"


def faults(text: str) -> list[str]:
    """Return where a file breaks its schema, as read from Microsoft's folder."""

    def retrieve(address: str) -> Any:
        path = Path(SCHEMAS, address.removeprefix(ADDRESS))
        return DRAFT7.create_resource(json.loads(path.read_text(encoding="utf-8")))

    document = json.loads(text)
    registry: Any = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    validator = Draft7Validator({"$ref": document["$schema"]}, registry=registry)
    return [error.json_path for error in validator.iter_errors(document)]


@pytest.mark.skipif(not SCHEMAS, reason="REELHOUSE_POWERBI_SCHEMAS names no folder")
def test_every_file_holds_to_the_published_schemas(files: Files) -> None:
    documents = {path: each for path, each in files.items() if '"$schema"' in each}
    assert len(documents) > 10
    assert {
        path: faults(text) for path, text in documents.items() if faults(text)
    } == {}
    card = files[f"{VISUALS}/card_ratings/visual.json"]
    for old, new, place in (
        ('"visualType"', '"visualKind"', "$.visual"),
        ('"queryState"', '"state"', "$.visual.query"),
        ('"x": 24', '"x": "24"', "$.position.x"),
    ):
        assert old in card
        assert place in faults(card.replace(old, new))


# --- the command


@pytest.mark.long
def test_the_same_tree_gives_the_same_bytes(sample: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    first = call(sample, "--out", folder)
    assert first.exit_code == 0, first.output
    assert "13 measures written" in first.output
    made = contents(folder)
    assert b"\r" not in b"".join(made.values())
    assert call(sample, "--out", folder).exit_code == 0
    assert contents(folder) == made
    listed = json.loads(made[CONTENTS])["files"]
    assert sorted([CONTENTS, *(each["file"] for each in listed)]) == sorted(made)


@pytest.mark.long
def test_what_a_person_changed_is_left_alone(sample: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    assert call(sample, "--out", folder).exit_code == 0
    (folder / f"{TABLES}/Metrics.tmdl").write_text("mine", encoding="utf-8")
    before = contents(folder)
    result = call(sample, "--out", folder)
    assert result.exit_code == 1
    assert f"({TABLES}/Metrics.tmdl)" in result.stderr.replace("\n", "")
    assert contents(folder) == before
