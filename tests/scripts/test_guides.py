"""The guides speak of what is there: files, headings, commands, options, messages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from reelhouse.cli import main
from reelhouse.settings import PROJECT
from tools.messages import messages

GUIDES = sorted(
    [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("data/*.md")]
)
# They name models that are to be made, that are wrong, or of another project.
SPEAK_OF_OTHERS = {"names.md", "own-data.md", "pitfalls.md", "recipes.md"}
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")


def name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def prose(path: Path) -> str:
    """A page without its blocks of code."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """What a link can name in a page: its headings, as GitHub writes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    }


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(path)):
        if re.match(r"https?://|#!/", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_commands_and_options_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert f"\n{target}:" in MAKEFILE, f"make {target}"
    for said in re.findall(r"(?:^|`)(?:\.venv/bin/)?reelhouse ([^`\n]+)", text, re.M):
        words = shlex.split(said.partition("|")[0].replace("…", ""), comments=True)
        command = main.commands.get(words[0])
        assert command, f"reelhouse {said}"
        options = {each for option in command.params for each in option.opts}
        for word in words[1 : words.index("--") if "--" in words else None]:
            if word.startswith("--"):
                assert word.partition("=")[0] in {*options, "--help", "--debug"}, said


@pytest.mark.parametrize("path", GUIDES, ids=name)
def test_models_that_are_named_are_there(path: Path) -> None:
    if path.name in SPEAK_OF_OTHERS:
        return
    there = {
        file.stem
        for folder in ("models", "snapshots", "seeds", "macros")
        for file in (PROJECT / folder).rglob("*")
    }
    text = path.read_text(encoding="utf-8")
    kinds = "stg|int|dim|fct|bridge|mart|health|snap"
    named = set(re.findall(rf"`((?:{kinds})_[a-z_]+|delete_vanished)`", text))
    assert named <= there


def test_the_messages_that_operations_quotes_are_those_of_the_code() -> None:
    page = (PROJECT / "docs/operations.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^> (.+)$", page, re.MULTILINE)
    made = {each.halves[0] for each in messages()}
    assert [each for each in quoted if each.replace("\\*", "*") not in made] == []
    assert len(quoted) > 10
