"""The guides name only what exists: files, headings, commands, options, messages."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
from tests.project import PROJECT

from reelhouse.cli import main

GUIDES = {
    path: path.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/*.md", "data/*.md")
    for path in sorted(PROJECT.glob(pattern))
}
# These name models that are to be made, that are wrong, or of another project.
SPEAK_OF_OTHERS = {"names.md", "own-data.md", "pitfalls.md", "recipes.md"}
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", prose(GUIDES[path]), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings
    }


def test_links_lead_somewhere() -> None:
    def leads(path: Path, target: str) -> bool:
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        return there.exists() and (not anchor or anchor in anchors(there))

    lost = [
        (path.name, target)
        for path, text in GUIDES.items()
        for target in re.findall(r"\]\(([^)]+)\)", prose(text))
        if not re.match(r"https?://|#!/", target) and not leads(path, target)
    ]
    assert lost == []


def unknown_words(said: str) -> Iterator[str]:
    """Yield the words of a quoted command that the command line does not know."""
    words = shlex.split(said.partition("|")[0].replace("…", ""), comments=True)
    command = main.get_command(click.Context(main), words[0])
    if command is None:
        yield words[0]
        return
    known = {option for each in command.params for option in each.opts}
    for word in words[1 : words.index("--") if "--" in words else None]:
        option = word.partition("=")[0]
        if option.startswith("--") and option not in {*known, "--help", "--debug"}:
            yield f"{words[0]} {option}"


def test_commands_and_options_exist() -> None:
    unknown = []
    for path, text in GUIDES.items():
        targets = re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)
        wrong = [f"make {each}" for each in targets if f"\n{each}:" not in MAKEFILE]
        commands = r"(?:^|`)(?:\.venv/bin/)?reelhouse ([^`\n]+)"
        for said in re.findall(commands, text, re.MULTILINE):
            wrong += unknown_words(said)
        unknown += [(path.name, each) for each in wrong]
    assert unknown == []


def test_models_that_are_named_are_there() -> None:
    there = {
        file.stem
        for folder in ("models", "snapshots", "seeds", "macros")
        for file in (PROJECT / folder).rglob("*")
    }
    kinds = "stg|int|dim|fct|bridge|mart|health|snap"
    missing = [
        (path.name, named)
        for path, text in GUIDES.items()
        if path.name not in SPEAK_OF_OTHERS
        for named in re.findall(rf"`((?:{kinds})_[a-z_]+)`", text)
        if named not in there
    ]
    assert missing == []


def test_the_messages_that_operations_quotes_are_those_of_the_code() -> None:
    said = "\n".join(
        node.value
        for path in (PROJECT / "scripts/reelhouse").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    page = GUIDES[PROJECT / "docs/operations.md"].replace("\\*", "*")
    quoted = re.findall(r"^> (.+)\.$", page, re.MULTILINE)
    assert quoted
    # A name in angle brackets stands for a value.
    parts = [part for each in quoted for part in re.split("‹[^›]*›", each)]
    assert [part for part in parts if part not in said] == []
