"""The project's tooling: make targets, the installer, locks, the CI command."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

# A fake Python of a given version that records its arguments and installs nothing.
FAKE_PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
case "$0" in
    *-broken) exit 127 ;;
esac
version={version}
case "$2" in
    venv) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    pip)
        case "$*" in
            *"${{PIP_FAILS_AT:-nothing}}"*) echo "pip failed" >&2; exit 1 ;;
        esac ;;
    *"not (3, 11)"*)
        case $version in 3.11.* | 3.12.* | 3.13.*) exit {fits} ;; *) exit 1 ;; esac ;;
    *version_info*) echo $version ;;
esac
"""

FAKE_TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
echo "words of $(basename "$0")"
case "$(basename "$0") $*" in "$FAILING"*) exit 3 ;; esac
"""

TOOLS = ["dirname", "basename", "cat", "cmp", "cp", "mkdir", "mv", "rm", "sh"]
CHECKS = [
    "ruff check",
    "ruff format",
    "yamllint",
    "lint-imports",
    "zizmor",
    "mypy",
    "dbt",
    "dbt-bouncer",
    "sqlfluff",
]


class Checkout:
    """A copy of the tooling in a folder, on a machine with only the given Pythons."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "check out"
        self.path = folder / "bin"
        self.calls_file = folder / "calls"
        # A shell may have set these to other folders.
        (folder / "elsewhere/scripts").mkdir(parents=True)
        elsewhere = str(folder / "elsewhere")
        self.environment = {"CDPATH": elsewhere, "PIP_TARGET": elsewhere}
        (self.root / "scripts").mkdir(parents=True)
        (self.root / "locks").mkdir()
        self.path.mkdir()
        for name in ("Makefile", "scripts/install.sh", "pyproject.toml"):
            shutil.copy(PROJECT / name, self.root / name)
        for lock in ("run", "test"):
            (self.root / f"locks/{lock}.txt").write_text(f"{lock}==1\n")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.path / tool).symlink_to(found)

    def add_python(self, name: str, version: str, fits: bool = True) -> Path:
        return _executable(
            self.path / name, FAKE_PYTHON.format(version=version, fits=int(not fits))
        )

    def install(self, lock: str) -> subprocess.CompletedProcess[str]:
        return self.run("sh", "scripts/install.sh", lock)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        self.calls_file.write_text("")
        return subprocess.run(
            [shutil.which(command[0]) or command[0], *command[1:]],
            cwd=self.root,
            env={"PATH": str(self.path), "CALLS": str(self.calls_file)}
            | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """The recorded calls of pip, venv and the tools."""
        return [
            call.removeprefix("-m ").replace("--disable-pip-version-check ", "")
            for call in self.calls_file.read_text().splitlines()
            if not call.startswith("-c ") and call
        ]


def _executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def _installs(lock: str) -> list[str]:
    return [
        "pip install --quiet --no-user --no-deps --no-compile --require-hashes "
        f"-r locks/{lock}.txt",
        "compileall -qq -j 0 .venv/lib",
        "pip install --quiet --no-user --no-deps --no-build-isolation -e .",
        "pip check",
    ]


# --- the installer


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3": "3.11.0"}, "python3"),
        ({"python3.11": "3.11.9", "python3": "3.13.1"}, "python3.11"),
        ({"python3.11": "3.11.9", "python3.12": "3.12.1"}, "python3.12"),
        ({"python3.12": "3.12.1", "python3.13": "3.13.0"}, "python3.13"),
        ({"python3.13": "3.10.0", "python3": "3.12.1"}, "python3"),
        ({"python3": "3.14.0", "python3.11": "3.11.1"}, "python3.11"),
    ],
)
def test_the_first_python_that_fits_is_taken(
    pythons: dict[str, str], chosen: str, checkout: Checkout
) -> None:
    for name, version in pythons.items():
        checkout.add_python(name, version)
    result = checkout.install("run")
    assert result.returncode == 0, result.stderr
    assert f"Making .venv with {chosen} ({pythons[chosen]})" in result.stdout
    assert checkout.calls == ["venv .venv", *_installs("run")]


@pytest.mark.parametrize(
    ("pythons", "message"),
    [
        ({}, "found none as python3: install one"),
        ({"python3": "3.10.13"}, "found python3 = 3.10.13: install one"),
        ({"python3": "3.14.0"}, "found python3 = 3.14.0: install one"),
    ],
)
def test_a_python_that_does_not_fit_is_named(
    pythons: dict[str, str], message: str, checkout: Checkout
) -> None:
    for name, version in pythons.items():
        checkout.add_python(name, version)
    result = checkout.install("run")
    assert result.returncode != 0
    assert message in result.stderr
    assert not (checkout.root / ".venv").exists()


def test_a_python_without_venv_is_told(checkout: Checkout) -> None:
    checkout.add_python("python3", "3.12.3", fits=False)
    result = checkout.install("run")
    assert result.returncode != 0
    assert "python3 = 3.12.3: its module venv is missing" in result.stderr


def test_python_can_be_named(checkout: Checkout, tmp_path: Path) -> None:
    checkout.add_python("python3.13", "3.13.0")
    (tmp_path / "my pythons").mkdir()
    mine = checkout.add_python("../my pythons/python", "3.11.2")
    checkout.environment["PYTHON"] = str(mine)
    assert f"with {mine} (3.11.2)" in checkout.install("run").stdout
    assert checkout.install("run").stdout == ""
    checkout.environment["PYTHON"] = "python3.13"
    assert "with python3.13 (3.13.0)" in checkout.install("run").stdout
    checkout.environment["PYTHON"] = "python3.9"
    assert "found none as python3.9" in checkout.install("run").stderr


def test_what_is_installed_is_not_installed_again(checkout: Checkout) -> None:
    checkout.add_python("python3", "3.12.3")
    checkout.install("run")
    again = checkout.install("run")
    assert (again.returncode, again.stdout, checkout.calls) == (0, "", [])
    checkout.install("test")
    assert checkout.calls == _installs("test")
    for lock in ("test", "run"):
        checkout.install(lock)
        assert checkout.calls == []


@pytest.mark.parametrize("step", ["--require-hashes", "-e .", "check"])
def test_an_install_that_broke_off_is_done_again(step: str, checkout: Checkout) -> None:
    checkout.add_python("python3", "3.12.3")
    checkout.environment["PIP_FAILS_AT"] = step
    result = checkout.install("test")
    assert result.returncode != 0
    assert "pip failed" in result.stderr
    del checkout.environment["PIP_FAILS_AT"]
    assert checkout.install("run").returncode == 0
    assert checkout.calls == _installs("run")


@pytest.mark.parametrize("name", ["locks/run.txt", "pyproject.toml"])
def test_a_changed_lock_is_installed(name: str, checkout: Checkout) -> None:
    checkout.add_python("python3", "3.12.3")
    checkout.install("run")
    with (checkout.root / name).open("a") as file:
        file.write("# changed\n")
    checkout.install("run")
    assert checkout.calls == _installs("run")


def test_a_checkout_that_moved_gets_a_new_environment(checkout: Checkout) -> None:
    checkout.add_python("python3", "3.12.3")
    checkout.install("run")
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.install("run")
    assert checkout.calls == ["venv .venv", *_installs("run")]


def test_an_environment_that_lost_its_python_is_made_anew(checkout: Checkout) -> None:
    checkout.add_python("python3", "3.12.3")
    checkout.install("run")
    (checkout.root / ".venv/bin/python").unlink()
    checkout.install("run")
    assert checkout.calls == ["venv .venv", *_installs("run")]


# --- make


@pytest.fixture
def equipped(checkout: Checkout) -> Checkout:
    """A checkout in which a fake of every tool is installed."""
    checkout.add_python("python3", "3.12.3")
    checkout.environment["FAILING"] = "nothing"
    checkout.install("test")
    for tool in (
        "ruff",
        "yamllint",
        "lint-imports",
        "zizmor",
        "mypy",
        "dbt",
        "dbt-bouncer",
        "sqlfluff",
        "reelhouse",
    ):
        _executable(checkout.root / ".venv/bin" / tool, FAKE_TOOL)
    # dbt keeps what it has parsed in these files.
    for folder in ("target", "target/prod"):
        (checkout.root / folder).mkdir()
        (checkout.root / folder / "partial_parse.msgpack").touch()
    return checkout


def _make(checkout: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    return checkout.run("make", *arguments)


def test_no_file_is_taken_for_a_target() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    assert targets == set(phony)


def test_checks_that_pass_are_quiet(equipped: Checkout) -> None:
    result = _make(equipped, "check")
    assert (result.returncode, result.stdout) == (0, "Checks passed\n")
    assert result.stderr == ""
    for check in CHECKS:
        assert [call for call in equipped.calls if f"{call} ".startswith(f"{check} ")]


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_that_fails_stops_and_is_heard(check: str, equipped: Checkout) -> None:
    equipped.environment["FAILING"] = check
    result = _make(equipped, "check")
    assert result.returncode != 0
    assert f"words of {check.split()[0]}\n" in result.stdout
    assert "Checks passed" not in result.stdout


def test_tests_come_after_the_checks(equipped: Checkout) -> None:
    assert _make(equipped, "test", "ARGS=-k 'one of'").returncode == 0
    assert equipped.calls[-1].startswith("pytest ")
    assert equipped.calls[-1].endswith(" -k one of")
    equipped.environment["FAILING"] = "ruff"
    assert _make(equipped, "test").returncode != 0
    assert [call.split()[0] for call in equipped.calls] == ["ruff"]


def test_a_base_is_a_commit_with_the_sample_of_this_tree(equipped: Checkout) -> None:
    base, sample = equipped.root / "target/base", equipped.root / "data/sample"
    sample.mkdir(parents=True)
    (sample / "movies.csv").write_text("as committed")
    for command in (
        ["init", "--quiet"],
        ["add", "--all", ":!.venv"],
        ["-c", "user.name=N", "-c", "user.email=e", "commit", "--quiet", "-m", "One"],
    ):
        subprocess.run(["git", *command], cwd=equipped.root, check=True, timeout=60)
    (sample / "movies.csv").write_text("as it is now")
    (equipped.root / "locks/test.txt").write_text("test==2\n")
    # The environment is kept, but nothing else of an earlier base.
    shutil.copytree(equipped.root / ".venv", base / ".venv")
    stamp = [f"{base}\n", "run==1\n", (PROJECT / "pyproject.toml").read_text()]
    (base / ".venv/installed-run").write_text("".join(stamp))
    (base / "models").mkdir()
    for tool in ("git", "tar", "find", "env"):
        (equipped.path / tool).symlink_to(shutil.which(tool) or "")
    equipped.environment["REELHOUSE_WAREHOUSE"] = "elsewhere"
    result = _make(equipped, "base", "BASE=HEAD")
    assert result.returncode == 0, result.stderr
    assert equipped.calls == ["reelhouse run --target dev"]
    assert (base / "data/sample/movies.csv").read_text() == "as it is now"
    assert (base / "locks/test.txt").read_text() == "test==1\n"
    assert not (base / "models").exists()
    assert _make(equipped, "base", "BASE=nowhere").returncode != 0
    assert equipped.calls == []


@pytest.mark.parametrize(("status", "passes"), [(0, True), (1, True), (2, False)])
def test_a_difference_from_the_base_is_no_failure(
    status: int, passes: bool, equipped: Checkout
) -> None:
    tool = equipped.root / ".venv/bin/reelhouse"
    _executable(tool, FAKE_TOOL + f"exit {status}\n")
    result = _make(equipped, "difference")
    assert equipped.calls == [
        "reelhouse compare --format markdown "
        "target/base/data/warehouse/published.duckdb dev"
    ]
    assert (result.returncode == 0) == passes
    assert result.stdout.splitlines()[0] == "words of reelhouse"


def test_clean_keeps_the_data(equipped: Checkout) -> None:
    warehouse = equipped.root / "data/warehouse"
    warehouse.mkdir(parents=True)
    (warehouse / "reelhouse.duckdb").touch()
    (equipped.path / "find").symlink_to(shutil.which("find") or "")
    assert _make(equipped, "clean").returncode == 0
    assert sorted(path.name for path in equipped.root.iterdir()) == [
        "Makefile",
        "data",
        "locks",
        "pyproject.toml",
        "scripts",
    ]
    assert (warehouse / "reelhouse.duckdb").exists()


# --- locks and attributes


def _pins(lock: str) -> dict[str, str]:
    text = (PROJECT / "locks" / f"{lock}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["run", "test"])
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    lines = (PROJECT / "locks" / f"{lock}.txt").read_text().splitlines()
    for line in lines:
        assert re.fullmatch(
            r"[a-z0-9-]+==[^ ]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
        ), line
    starts = [number for number, line in enumerate(lines) if not line.startswith(" ")]
    assert all(lines[number + 1].startswith("    --hash") for number in starts)


def test_what_runs_is_tested_in_the_same_versions() -> None:
    run, test = _pins("run"), _pins("test")
    assert len(run) > 50
    assert {name: test.get(name) for name in run} == run
    assert len(test) > len(run)


def test_git_keeps_the_bytes_of_a_delivery() -> None:
    if not (PROJECT / ".git").exists():
        pytest.skip("this is no git checkout")
    answer = subprocess.run(
        ["git", "check-attr", "text", "data/sample/ratings.csv"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout.strip().endswith("text: unset")
