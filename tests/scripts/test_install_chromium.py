"""The installer of the browser for tests, with an apt-get that only writes down."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project import PROJECT

# Brings the browser named in $BRINGS on install; fails at the step in $FAILS_AT.
APT_GET = """#!/bin/sh
echo "$*" >>"$CALLS"
echo "words of apt-get $1"
[ "$1" != "${FAILS_AT:-}" ] || exit 100
if [ "$1" = install ] && [ -n "${BRINGS:-}" ]; then
    cp "$(command -v id)" "${0%/*}/$BRINGS"
fi
"""
UPDATE = "update --quiet --quiet"
INSTALL = (
    "install --quiet --quiet --yes --no-install-recommends chromium fonts-liberation"
)
OTHERWISE = "install Chromium or Google Chrome so that chromium"

Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """A function that runs the installer where only the given tools are."""
    for tool in ("sh", "cat", "cp", "mktemp", "rm"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)

    def run(
        *tools: str, user: int = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        texts = {"apt-get": APT_GET, "id": f"#!/bin/sh\necho {user}\n"}
        for name in ("id", *tools):
            (tmp_path / name).write_text(texts.get(name, "#!/bin/sh\n"))
            (tmp_path / name).chmod(0o755)
        return subprocess.run(
            ["sh", PROJECT / "scripts/install-chromium.sh"],
            executable=shutil.which("sh"),
            env={"PATH": str(tmp_path), "CALLS": str(tmp_path / "calls")} | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def calls(folder: Path) -> list[str]:
    """What was asked of apt-get."""
    file = folder / "calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_that_is_there_is_taken(
    name: str, install: Install, tmp_path: Path
) -> None:
    result = install(name, "apt-get", user=1000)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert calls(tmp_path) == []


def test_root_installs_it_by_apt_get(install: Install, tmp_path: Path) -> None:
    result = install("apt-get", BRINGS="chromium")
    assert (result.returncode, result.stderr) == (0, "")
    assert "words of apt-get" not in result.stdout
    assert calls(tmp_path) == [UPDATE, INSTALL]


@pytest.mark.parametrize(
    ("tools", "user", "message"),
    [
        ([], 0, "There is no Chromium, and no apt-get to install it with"),
        (["apt-get"], 1000, "run 'sudo scripts/install-chromium.sh'"),
    ],
)
def test_who_cannot_install_is_told_what_to_do(
    tools: list[str], user: int, message: str, install: Install, tmp_path: Path
) -> None:
    result = install(*tools, user=user)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert OTHERWISE in result.stderr
    assert calls(tmp_path) == []


@pytest.mark.parametrize("step", ["update", "install"])
def test_an_apt_get_that_fails_is_heard(step: str, install: Install) -> None:
    result = install("apt-get", FAILS_AT=step)
    assert result.returncode == 1
    assert f"words of apt-get {step}\n" in result.stderr
    assert "apt-get could not install chromium (see above)" in result.stderr
    assert OTHERWISE in result.stderr


def test_a_package_without_a_browser_is_noticed(
    install: Install, tmp_path: Path
) -> None:
    result = install("apt-get")
    assert result.returncode == 1
    assert "The package chromium of this system brings no browser" in result.stderr
    assert OTHERWISE in result.stderr
    assert calls(tmp_path) == [UPDATE, INSTALL]
