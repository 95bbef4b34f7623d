"""The file contract is what the sources in models/staging declare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.project import PROJECT

from reelhouse import contract
from reelhouse.errors import ReelhouseError

SOURCES = """
sources:
  - name: {name}
    tables:
      - name: {table}
        config: {{meta: {{file: {table}}}}}
        columns:
          - name: sold_on
            data_type: {data_type}
            config: {{meta: {{header: soldOn}}}}
          - name: loaded_at
            data_type: timestamp
"""


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of sources, which are read again on every call."""
    monkeypatch.setattr(contract, "project", lambda: tmp_path)
    monkeypatch.setattr(contract, "STAGING", tmp_path / "staging")
    monkeypatch.setattr(contract, "entities", contract.entities.__wrapped__)
    return tmp_path / "staging"


def declare(staging: Path, name: str, table: str, data_type: str = "varchar") -> None:
    folder = staging / name
    folder.mkdir(parents=True)
    text = SOURCES.format(name=name, table=table, data_type=data_type)
    (folder / f"_{name}__sources.yml").write_text(text)


def test_every_folder_of_sources_is_read_but_the_ledger(
    staging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, table in (("shop", "sales"), ("club", "members"), ("own", "loads")):
        declare(staging, name, table)
    monkeypatch.setattr(contract, "LEDGER", "own/_own__sources.yml")
    assert list(contract.entities()) == ["members", "sales"]


@pytest.mark.parametrize("data_type", ["date", "decimal", "decimal(4,2) ", "VARCHAR"])
def test_a_type_that_cannot_be_judged_is_named(staging: Path, data_type: str) -> None:
    declare(staging, "shop", "sales", f"'{data_type}'")
    with pytest.raises(ReelhouseError) as error:
        contract.entities()
    assert "staging/shop/_shop__sources.yml gives sales.sold_on the type" in str(
        error.value
    )


@pytest.mark.parametrize("data_type", ["varchar", "bigint", "double", "decimal(4,2)"])
def test_a_type_that_can_be_judged_is_taken(staging: Path, data_type: str) -> None:
    declare(staging, "shop", "sales", data_type)
    (column,) = contract.entities()["sales"].file_columns
    assert column.data_type == data_type


def test_a_name_in_the_singular_is_asked_about(staging: Path) -> None:
    declare(staging, "shop", "sales")
    assert contract.sort_out(["sale.csv"]).hints == [
        "sale.csv is not read: is it sales.csv?"
    ]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "header: rating, min: 0.5",
            "header: rating, minimum: 0.5",
            "minimum instead of min",
        ),
        ("header: rating, min: 0.5", "header: rating, min: half", "half"),
        ("file: ratings", "files: ratings", "'file' is missing"),
        ("key: [movie_id]", "key: [nobody]", "no column nobody for its key"),
        ("    tables:", "    tables", "docs/own-data.md"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_named(
    staging: Path, before: str, after: str, words: str
) -> None:
    name = "movielens/_movielens__sources.yml"
    text = (PROJECT / "models/staging" / name).read_text(encoding="utf-8")
    assert before in text
    (staging / name).parent.mkdir(parents=True, exist_ok=True)
    (staging / name).write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ReelhouseError, match=re.escape(words)) as refused:
        contract.entities()
    assert "_movielens__sources.yml does not declare its files" in str(refused.value)
