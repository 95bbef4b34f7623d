"""Fixtures for every test: one local S3 server, a fresh bucket for each test."""

from __future__ import annotations

import hashlib
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from importlib.metadata import distributions
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
from tests.project import PROJECT

from reelhouse.local.bucket import serve_bucket
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

# What takes longest comes first, so that no worker is left alone with it at the end.
# The very first does not wait for the sample, which the other worker makes.
FIRST = (
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
    """The main module stays what it is.

    Streamlit's AppTest puts a script in its place, which every process that is spawned
    by a later test would run.
    """
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


# What the sample's warehouse is made of, files and folders.
MAKING = (
    *("scripts", "models", "macros", "seeds", "snapshots", "analyses", "locks"),
    *("tests/data_tests", "tests/conftest.py", "tests/delivery.py", "data/sample"),
    *("dbt_project.yml", "profiles.yml", "pyproject.toml"),
)
KEPT = PROJECT / "target/tests"


def made_of() -> str:
    """A hash of every byte and every package that the sample's warehouse is made of."""
    found = hashlib.sha256(sys.version.encode())
    for package in sorted(f"{each.name} {each.version}" for each in distributions()):
        found.update(f"{package}\n".encode())
    for place in map(PROJECT.joinpath, MAKING):
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and path.suffix != ".pyc":
                content = path.read_bytes()
                found.update(f"{path.relative_to(PROJECT)} {len(content)}\n".encode())
                found.update(content)
    return found.hexdigest()[:16]


def make_sample(desk: Delivery) -> None:
    """Run the sample, or copy what an earlier session has made of the same bytes."""
    kept = KEPT / f"sample-{made_of()}"
    if kept.exists():
        shutil.copytree(kept, desk.warehouse)
        return
    upload(desk.s3, [], f"s3://{desk.bucket}")
    desk.put(files_of(PROJECT / "data/sample"))
    desk.run()
    desk.close()
    for older in KEPT.glob("sample-*"):
        shutil.rmtree(older, ignore_errors=True)
    scratch = KEPT / desk.bucket.replace("sample", "scratch")
    shutil.copytree(desk.warehouse, scratch)
    # Another session may have been there first.
    with suppress(OSError):
        scratch.rename(kept)
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(scope="session")
def sample(s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a warehouse with the sample, run and published; to be read only.

    One for all workers: the first who asks makes it.
    """
    name = f"sample-{uuid.uuid4().hex}"
    moment = datetime(2026, 1, 1)
    with one_worker_at_a_time(tmp_path_factory, "sample") as folder:
        desk = Delivery(s3_server, name, folder / "sample", moment=moment)
        if not desk.settings.published.exists():
            shutil.rmtree(desk.warehouse, ignore_errors=True)
            make_sample(desk)
    return desk.settings
