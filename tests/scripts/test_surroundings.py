"""Editors and hooks run the project's own commands, unchanged."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from tests.project import PROJECT

from reelhouse.dashboard.start import USUAL_PORT

MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")

(LOCAL,) = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
HOOKS = {hook["id"]: hook for hook in LOCAL["hooks"]}


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.splitlines() if (PROJECT / name).is_file()]


def files_of(hook: dict[str, Any]) -> list[str]:
    """Return the files that pre-commit passes to a hook when all are committed."""
    return [
        name
        for name in tracked()
        if re.search(hook.get("files", ""), name)
        and not re.search(hook.get("exclude", "^$"), name)
    ]


def test_hooks_are_checks_of_make() -> None:
    assert LOCAL["repo"] == "local"
    for hook in HOOKS.values():
        command = hook["entry"].replace(".venv/bin/", "$(BIN)/")
        assert re.search(rf"{re.escape(command)}(\s|\))", MAKEFILE), hook["id"]


def test_a_secret_is_found(tmp_path: Path) -> None:
    baseline = shutil.copy(PROJECT / ".secrets.baseline", tmp_path)
    entry = HOOKS["secrets"]["entry"].replace(".secrets.baseline", baseline)
    found = {}
    for name, value in (("good.py", "1"), ("bad.py", '"k3y-of-' + 'nobody-1947"')):
        (tmp_path / name).write_text(f"password = {value}\n")
        ran = subprocess.run(
            [*shlex.split(entry), str(tmp_path / name)],
            cwd=PROJECT,
            check=False,
            timeout=120,
        )
        found[name] = ran.returncode
    assert found == {"good.py": 0, "bad.py": 1}


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
