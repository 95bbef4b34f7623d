"""What editors and hooks are told: they run the project's own commands, as they are."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from reelhouse.dashboard.start import USUAL_PORT
from reelhouse.settings import PROJECT

MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")

(LOCAL,) = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
HOOKS = {hook["id"]: hook for hook in LOCAL["hooks"]}

# A file that each hook has something against; what looks like a secret is none.
BAD = {
    "ruff-check": ("bad.py", "import os\n"),
    "ruff-format": ("bad.py", "x = {  'a':1 }\n"),
    "yamllint": ("bad.yml", "key:    [1,2]\n"),
    "secrets": ("bad.py", 'password = "' + "k3y-of-" + 'nobody-1947"\n'),
}


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.splitlines() if (PROJECT / name).is_file()]


def files_of(hook: dict[str, Any]) -> list[str]:
    """The files that pre-commit gives a hook when all are committed."""
    return [
        name
        for name in tracked()
        if re.search(hook.get("files", ""), name)
        and not re.search(hook.get("exclude", "^$"), name)
    ]


def run(
    hook: dict[str, Any], files: list[str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run a hook on files; what it would write of its own goes to a folder."""
    baseline = shutil.copy(PROJECT / ".secrets.baseline", folder)
    given = files if hook.get("pass_filenames", True) else []
    return subprocess.run(
        [*shlex.split(hook["entry"].replace(".secrets.baseline", baseline)), *given],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_hooks_need_nothing_from_elsewhere() -> None:
    assert LOCAL["repo"] == "local"
    assert {hook["language"] for hook in HOOKS.values()} == {"system"}


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_a_check_of_make(name: str) -> None:
    command = HOOKS[name]["entry"].replace(".venv/bin/", "$(BIN)/")
    assert re.search(rf"{re.escape(command)}(\s|\))", MAKEFILE)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_lets_a_good_file_pass(name: str, tmp_path: Path) -> None:
    # One is enough: the checks themselves look at all of them.
    result = run(HOOKS[name], files_of(HOOKS[name])[:1], tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", BAD)
def test_a_hook_stops_a_bad_file(name: str, tmp_path: Path) -> None:
    file, text = BAD[name]
    (tmp_path / file).write_text(text)
    result = run(HOOKS[name], [str(tmp_path / file)], tmp_path)
    assert result.returncode == 1
    assert file in result.stdout + result.stderr


def test_secrets_are_looked_for_where_make_does() -> None:
    (pattern,) = re.findall(r"git ls-files \| grep -v '(.*)'", MAKEFILE)
    left_out = re.compile(pattern.replace(r"\|", "|"))
    assert files_of(HOOKS["secrets"]) == [
        name for name in tracked() if not left_out.search(name)
    ]


def test_a_container_is_made_by_the_command_of_the_readme() -> None:
    text = (PROJECT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(text)
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    command = container["postCreateCommand"]
    assert f"```sh\n{command}\n```" in readme
    assert re.search(rf"^{command.removeprefix('make ')}:.*##", MAKEFILE, re.MULTILINE)
    version = re.fullmatch(r"python:(\d\.\d+)-[a-z]+", container["image"])
    assert version
    assert version[1] in re.findall(r"Python ([\d., or]+),", readme)[0]
    assert container["forwardPorts"] == [USUAL_PORT]
