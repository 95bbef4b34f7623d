"""Every message says what to do, stands in docs/messages.md, and is tested."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from reelhouse.settings import PROJECT
from tools.messages import PAGE, Message, messages, page

# A word that says enough by itself, such as the name of a setting.
LONG_WORD = 10


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "docs/messages.md is out of date: run `make docs`"
    )
    assert len(messages()) > 80


@pytest.mark.parametrize("message", messages(), ids=lambda each: each.sentence[:60])
def test_a_message_says_what_to_do_and_a_test_expects_it(message: Message) -> None:
    assert message.halves[1], "end the sentence in a colon and what to do"
    own = {run for run in runs(message.texts) if len(sayers()[run]) == 1}
    assert own, "nothing tells it from others"
    assert any(run in expected_texts() for run in own), "let a test produce it"


def runs(texts: tuple[str, ...]) -> Iterator[str]:
    """Words of a sentence that stand beside each other, up to four; long ones alone."""
    for text in texts:
        words = text.split()
        for length in (1, 2, 3, 4):
            for start in range(len(words) - length + 1):
                run = " ".join(words[start : start + length]).strip(".,:;()`'")
                if length > 1 or len(run) >= LONG_WORD:
                    yield run


@cache
def sayers() -> dict[str, set[tuple[str, ...]]]:
    """For each run of words the sentences that hold it."""
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for message in messages():
        for run in runs(message.texts):
            found[run].add(message.texts)
    return found


@cache
def expected_texts() -> str:
    """The texts in the tests' code, patterns without their escapes."""
    found = []
    for path in (PROJECT / "tests").rglob("*.py"):
        if path != Path(__file__):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            told = {
                id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
            }
            found += [
                re.sub(r"\\(\W)", r"\1", node.value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in told
            ]
    return "\n".join(found)
