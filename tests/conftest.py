"""Fixtures for every test: one local S3 server, a fresh bucket for each test."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from tests.delivery import (
    MOVIES,
    RATINGS,
    Delivery,
    csv,
    files_of,
    one_worker_at_a_time,
)
from tests.faults.plugin import (
    check_faults,
    pytest_addoption,
    pytest_configure,
    pytest_runtest_logreport,
    pytest_runtest_makereport,
    pytest_runtest_setup,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
from tests.kept import MAKERS, TREE, kept
from tests.project import PROJECT

from reelhouse.local.bucket import environment as bucket_variables
from reelhouse.local.bucket import serve_bucket
from reelhouse.local.emulator import EmulatorSettings, serve_emulator
from reelhouse.local.emulator import environment as account_variables
from reelhouse.s3 import S3Settings, upload
from reelhouse.settings import Settings

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_logreport",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
]

# The slowest files come first, so no worker runs one alone at the end. The very first
# one needs no sample: the other worker makes that.
FIRST = (
    "test_state.py",
    "test_targets.py",
    "test_real_account.py",
    "test_readme.py",
    "test_recipes.py",
    "test_ledger.py",
    "test_mutants.py",
    "test_own_data.py",
    "test_bench.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    check_faults(items)
    ranks = {name: rank for rank, name in enumerate(FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(FIRST)))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Settings]:
    """The settings of a local S3 that lives as long as the test session."""
    with serve_bucket() as settings:
        yield settings


@pytest.fixture
def bucket(s3_server: S3Settings) -> str:
    """The name of an empty bucket that no other test uses."""
    name = f"test-{uuid.uuid4().hex}"
    upload(s3_server, [], f"s3://{name}")
    return name


@pytest.fixture
def delivery(s3_server: S3Settings, bucket: str, tmp_path: Path) -> Iterator[Delivery]:
    """A bucket with the two files that a load needs, and a new warehouse."""
    desk = Delivery(s3_server, bucket, tmp_path / "warehouse").put(
        {"movies.csv": csv("movies", MOVIES), "ratings.csv": csv("ratings", RATINGS)}
    )
    yield desk
    desk.close()


@pytest.fixture
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the real main module.

    Streamlit's AppTest replaces it with a script, which every process that a later test
    spawns would run.
    """
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def sample(s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a warehouse with the sample, run and published; read-only.

    All workers share it.
    """

    def make(folder: Path) -> None:
        upload(s3_server, [], "s3://sample")
        desk = Delivery(s3_server, "sample", folder, moment=datetime(2026, 1, 1))
        desk.put(files_of(PROJECT / "data/sample"))
        desk.run()
        desk.close()

    with one_worker_at_a_time(tmp_path_factory, "sample") as shared:
        if not (shared / "sample").exists():
            places = (*TREE, *MAKERS, "tests/conftest.py", "data/sample")
            shutil.copytree(kept("sample", places, make), shared / "sample")
    return Delivery(s3_server, "sample", shared / "sample").settings


@pytest.fixture(scope="session")
def emulator(s3_server: S3Settings) -> Iterator[EmulatorSettings]:
    """An emulated account that lives as long as the test session."""
    with serve_emulator(os.environ | bucket_variables(s3_server)) as settings:
        yield settings


@pytest.fixture
def in_account(
    emulator: EmulatorSettings, s3_server: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> EmulatorSettings:
    """Point the variables to a database in that account that only this test uses."""
    own = replace(emulator, database=f"T{uuid.uuid4().hex}".upper())
    for name, value in (bucket_variables(s3_server) | account_variables(own)).items():
        monkeypatch.setenv(name, value)
    return own
