"""The workflows call what people call, with few permissions and nothing unpinned.

zizmor, a part of `make check`, looks for known weaknesses beyond that.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from reelhouse.cli import main
from reelhouse.settings import PROJECT

FOLDER = PROJECT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
OPEN_TO_FORKS = "pull-request.yml"

PIN = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")

# What each may do beyond reading the code, and in which environment.
PERMISSIONS = {
    ("nightly.yml", "freshness"): ({"id-token": "write"}, "production"),
    ("pages.yml", "deploy"): ({"pages": "write", "id-token": "write"}, "github-pages"),
    ("production.yml", "run"): ({"id-token": "write"}, "production"),
    ("snowflake.yml", "test"): ({}, "snowflake"),
}

# Ways around the locks, and addresses.
BYPASS = re.compile(r"\b(pip3?|pipx|uv|uvx|npm|npx|curl|wget|git clone)\b|://")


def read(path: Path) -> dict[str, Any]:
    # In YAML 1.1 the key `on` is a boolean.
    return dict(yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader))


JOBS = {
    (path.name, name): job
    for path in WORKFLOWS
    for name, job in read(path)["jobs"].items()
}


def name_of(job: tuple[str, str]) -> str:
    return "/".join(job)


def scripts(job: dict[str, Any]) -> list[str]:
    """The commands of a job, with the values of its matrix put in."""
    matrix = job.get("strategy", {}).get("matrix", {})
    found = [step["run"] for step in job["steps"] if "run" in step]
    if "target" in matrix:
        found += [f"make {target}" for target in matrix["target"]]
    return found


def test_every_workflow_is_there() -> None:
    assert [path.name for path in WORKFLOWS] == [
        "nightly.yml",
        "pages.yml",
        "production.yml",
        "pull-request.yml",
        "snowflake.yml",
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_gives_nothing_by_itself(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    triggers = set(workflow["on"])
    # Others would run what a stranger wrote with what only we may do.
    assert triggers <= {
        *("pull_request", "merge_group", "push", "schedule", "workflow_dispatch")
    }
    if triggers & {"pull_request"}:
        assert path.name == OPEN_TO_FORKS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_their_commit(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    for action in used:
        assert PIN.fullmatch(action), action


def test_an_action_has_one_version() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: (.*)", text))
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


@pytest.mark.parametrize("job", JOBS, ids=name_of)
def test_a_job_may_do_no_more_than_it_needs(job: tuple[str, str]) -> None:
    more, environment = PERMISSIONS.get(job, ({}, None))
    declared = JOBS[job]["permissions"]
    reads = {"contents": "read"} if job != ("pages.yml", "deploy") else {}
    assert declared == reads | more
    where = JOBS[job].get("environment")
    assert (where["name"] if isinstance(where, dict) else where) == environment
    # An environment has rules for who may use what it holds.
    assert environment or "secrets." not in str(JOBS[job])


@pytest.mark.parametrize("job", JOBS, ids=name_of)
def test_a_job_ends_by_itself_on_a_known_system(job: tuple[str, str]) -> None:
    assert 5 <= int(JOBS[job]["timeout-minutes"]) <= 120
    assert JOBS[job]["runs-on"] == "ubuntu-24.04"


def test_what_forks_can_start_knows_no_secret() -> None:
    text = (FOLDER / OPEN_TO_FORKS).read_text(encoding="utf-8")
    assert set(read(FOLDER / OPEN_TO_FORKS)["on"]) == {"pull_request", "merge_group"}
    assert not re.search(r"\b(secrets|vars)\b[.\[]|GITHUB_TOKEN|id-token", text)
    for (workflow, name), job in JOBS.items():
        if workflow == OPEN_TO_FORKS:
            assert job["permissions"] == {"contents": "read"}, name
            assert "environment" not in job, name


def test_the_account_is_used_where_one_is_named_only() -> None:
    for job in JOBS.values():
        if "SNOWFLAKE_ACCOUNT" in str(job):
            assert job["if"].startswith("vars.SNOWFLAKE_ACCOUNT != ''")


@pytest.mark.parametrize("job", JOBS, ids=name_of)
def test_steps_keep_no_credential_and_cache_by_a_lock(job: tuple[str, str]) -> None:
    for step in JOBS[job]["steps"]:
        action = step.get("uses", "").partition("@")[0]
        if action == "actions/checkout":
            assert step["with"]["persist-credentials"] == "false"
        if action == "actions/setup-python" and "cache" in step["with"]:
            assert (PROJECT / step["with"]["cache-dependency-path"]).is_file()


@pytest.mark.parametrize("job", JOBS, ids=name_of)
def test_commands_are_those_of_the_project(job: tuple[str, str]) -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)
    for script in scripts(JOBS[job]):
        # Whoever opens a pull request may choose such values.
        assert "${{" not in script
        assert not BYPASS.search(script), script
        for target in re.findall(r"\bmake (?:--silent )?([a-z-]+)", script):
            assert target in targets
        for command in re.findall(r"\breelhouse ([a-z]+)", script):
            assert main.get_command(click.Context(main), command)
        for module in re.findall(r"-m tools\.(\w+)", script):
            assert (PROJECT / f"scripts/tools/{module}.py").is_file()
        for file in re.findall(r"\bscripts/[\w./-]+", script):
            assert (PROJECT / file).is_file()
        for option in re.findall(r"install\.sh ?(\w*)", script):
            assert option in {"run", "test"}


def test_pull_requests_check_what_the_readme_names() -> None:
    found = "\n".join(
        script
        for (workflow, _), job in JOBS.items()
        if workflow == OPEN_TO_FORKS
        for script in scripts(job)
    )
    for command in (
        *("make test", "make test-full", "make secrets", "make run", "make base"),
        *("make build-changed", "difference", "reelhouse emulator", "reelhouse report"),
    ):
        assert command in found
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    (emulated,) = re.findall(r"^reelhouse emulator -- .*$", readme, re.MULTILINE)
    assert emulated in " ".join(found.split())
    (matrix,) = re.findall(r"Python ([\d., ]+) or ([\d.]+)", readme)
    pythons = [*matrix[0].split(", "), matrix[1]]
    job = JOBS[OPEN_TO_FORKS, "test"]
    assert job["strategy"]["matrix"]["python"] == pythons


def test_a_run_in_production_is_alone_and_never_cut_short() -> None:
    concurrency = read(FOLDER / "production.yml")["concurrency"]
    assert concurrency == {"group": "production", "cancel-in-progress": "false"}


def test_a_database_of_a_pull_request_is_always_dropped() -> None:
    *_, before, last = JOBS["snowflake.yml", "test"]["steps"]
    assert before["run"] == "make test-snowflake"
    assert last["run"].endswith("snowflake_setup drop-pull-request")
    assert last["if"] == "always()"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_times_of_day_are_written_right(path: Path) -> None:
    schedule = read(path)["on"]
    for entry in schedule.get("schedule", []) if isinstance(schedule, dict) else []:
        minute, hour, *days = entry["cron"].split()
        # On the hour, where everybody begins, runs are late or left out.
        assert 0 < int(minute) < 60
        assert 0 <= int(hour) < 24
        assert days == ["*"] * 3
