"""The workflows run the commands that people run, and give nothing to forks.

zizmor, a part of `make check`, checks for known weaknesses: what is not pinned,
permissions, triggers, templates, secrets outside of an environment.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from tests.project import PROJECT

from reelhouse.cli import main

FOLDER = PROJECT / ".github/workflows"
OPEN_TO_FORKS = "pull-request.yml"
# Permissions of jobs beyond reading the code; no other job has any.
PERMITTED = {
    "nightly.yml/freshness": {"id-token": "write"},
    "pages.yml/deploy": {"pages": "write", "id-token": "write"},
    "production.yml/run": {"id-token": "write"},
}
# Commands that bypass the locks, and addresses.
BYPASS = re.compile(r"\b(pip3?|pipx|uv|uvx|npm|npx|curl|wget|git clone)\b|://")


def read(path: Path) -> dict[str, Any]:
    # In YAML 1.1 the key `on` is a boolean.
    return dict(yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader))


WORKFLOWS = {path.name: read(path) for path in sorted(FOLDER.glob("*.yml"))}
JOBS = {
    f"{workflow}/{name}": job
    for workflow, declared in WORKFLOWS.items()
    for name, job in declared["jobs"].items()
}


def scripts(job: dict[str, Any]) -> list[str]:
    """Return the commands of a job, with the values of its matrix inserted."""
    matrix = job.get("strategy", {}).get("matrix", {})
    found = [step["run"] for step in job["steps"] if "run" in step]
    return found + [f"make {target}" for target in matrix.get("target", [])]


def test_a_job_may_do_no_more_than_it_needs_and_ends_by_itself() -> None:
    writing = {
        name: {what: may for what, may in job["permissions"].items() if may != "read"}
        for name, job in JOBS.items()
    }
    assert {name: may for name, may in writing.items() if may} == PERMITTED
    assert [name for name, job in JOBS.items() if "timeout-minutes" not in job] == []
    keeping = [
        name
        for name, job in JOBS.items()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
        and step.get("with", {}).get("persist-credentials") != "false"
    ]
    assert keeping == []


def test_what_forks_can_start_knows_no_secret() -> None:
    text = (FOLDER / OPEN_TO_FORKS).read_text(encoding="utf-8")
    assert not re.search(r"\b(secrets|vars)\b[.\[]|GITHUB_TOKEN|id-token", text)
    of_forks = [job for name, job in JOBS.items() if name.startswith(OPEN_TO_FORKS)]
    assert of_forks
    assert not any("environment" in job for job in of_forks)
    open_ones = [
        name
        for name, workflow in WORKFLOWS.items()
        if {"pull_request", "pull_request_target"} & {*workflow["on"]}
    ]
    assert open_ones == [OPEN_TO_FORKS]


def test_the_account_is_used_where_one_is_named_only() -> None:
    unasked = [
        name
        for name, job in JOBS.items()
        if "SNOWFLAKE_ACCOUNT" in str(job)
        and not job["if"].startswith("vars.SNOWFLAKE_ACCOUNT != ''")
    ]
    assert unasked == []


def test_commands_are_those_of_the_project() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    known = {
        r"\bmake (?:--silent )?([a-z-]+)": re.findall(
            r"^([a-z-]+):.*##", makefile, re.MULTILINE
        ),
        r"\breelhouse ([a-z]+)": [*main.commands, "bench"],
        r"install\.sh ?(\w*)": ["run", "test"],
        r"-m tools\.(\w+)": [
            path.stem for path in (PROJECT / "scripts/tools").iterdir()
        ],
        r"\b(scripts/[\w./-]+)": [
            path.relative_to(PROJECT).as_posix()
            for path in (PROJECT / "scripts").glob("*")
        ],
    }
    unknown = [
        (name, said)
        for name, job in JOBS.items()
        for script in scripts(job)
        for pattern, there in known.items()
        for said in re.findall(pattern, script)
        if said not in there
    ]
    assert unknown == []
    around = [
        (name, script)
        for name, job in JOBS.items()
        for script in scripts(job)
        if BYPASS.search(script)
    ]
    assert around == []


def test_pull_requests_try_each_python_and_the_command_of_the_readme() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    (pythons,) = re.findall(r"Python ([\d., ]+ or [\d.]+)", readme)
    job = JOBS[f"{OPEN_TO_FORKS}/test"]
    assert job["strategy"]["matrix"]["python"] == re.split(", | or ", pythons)
    (emulated,) = re.findall(r"^reelhouse emulator -- .*$", readme, re.MULTILINE)
    said = [each for job in JOBS.values() for each in scripts(job)]
    assert emulated in " ".join(" ".join(said).split())


def test_a_run_in_production_is_alone_and_never_cut_short() -> None:
    concurrency = WORKFLOWS["production.yml"]["concurrency"]
    assert concurrency == {"group": "production", "cancel-in-progress": "false"}


def test_a_database_of_a_pull_request_is_always_dropped() -> None:
    *_, before, last = JOBS["snowflake.yml/test"]["steps"]
    assert before["run"] == "make test-snowflake"
    assert last["run"].endswith("snowflake_setup drop-pull-request")
    assert last["if"] == "always()"
