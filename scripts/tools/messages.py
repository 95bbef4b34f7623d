"""Messages: docs/messages.md, every message and what to do about it.

`python -m tools.messages` writes it from the code that raises them; `make docs`
does so, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reelhouse.settings import PROJECT

PACKAGE = PROJECT / "scripts/reelhouse"
PAGE = PROJECT / "docs/messages.md"
ROOT = "ReelhouseError"

# Functions whose names say less of a value than what they are called with.
ARGUMENT_SAYS_MORE = ("join", "len", "str", "repr", "sorted")
VALUE_SAYS_MORE = ("split", "splitlines", "get", "removeprefix", "items", "values")

INTRODUCTION = """\
<!-- Made by `make docs` from scripts/reelhouse; changes here are lost. -->

# Messages and remedies

Whatever goes wrong ends in one sentence on stderr that begins with `reelhouse:`, and in
exit status 1 (2 for `compare`, where 1 means a difference; 130 after Ctrl-C). A name in
‹ › stands for what the sentence names. With `--debug` the traceback follows instead,
with the error below it, such as that of DuckDB, S3 or Snowflake.

Nothing has changed when a message comes: a run, a load or a publish is done as a whole
or not at all. Where a message says otherwise, it says what stays.

Three sentences stand for what no other foresees:

| message | what to do |
| --- | --- |
| Stopped. What was there before is untouched; run it again. | Ctrl-C or a signal \
ended the command: run it again. |
| ‹what the system said› (‹file›): --debug shows more. | Free the disk, mend the \
permissions, or whatever the system names. |
| Something went wrong that should not (‹error›): please report it with what --debug \
shows. | Report it; it is a fault of the project. |

dbt's own messages, such as a test that failed, are in the summary of the run, with the
command that shows the rows; where dbt does not get so far, its first lines are shown.
"""


@dataclass(frozen=True)
class Message:
    """A sentence that a module may end with; `texts` are its parts between values."""

    module: str
    sentence: str
    texts: tuple[str, ...]

    @property
    def halves(self) -> tuple[str, str]:
        """What has happened and, after the last colon, what to do."""
        happened, colon, remedy = self.sentence.rpartition(": ")
        if not colon:
            return self.sentence, ""
        return happened + ".", remedy[0].upper() + remedy[1:]


def messages() -> list[Message]:
    """Every sentence that an error of the package may be made with, by module."""
    kinds = {ROOT}
    trees = {path: _tree(path) for path in sorted(PACKAGE.rglob("*.py"))}
    classes = [
        node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    while more := {
        each.name
        for each in classes
        if each.name not in kinds and kinds & {_name(base) for base in each.bases}
    }:
        kinds |= more
    found = []
    for path, tree in trees.items():
        for sentence in _sentences(tree, kinds):
            texts = tuple(text for text in _split(sentence) if len(text.split()) > 1)
            if texts:
                module = path.relative_to(PACKAGE).with_suffix("").as_posix()
                found.append(Message(module, sentence, texts))
    return list(dict.fromkeys(found))


def page() -> str:
    """The whole page, as Markdown."""
    parts = [INTRODUCTION]
    every = messages()
    for module in dict.fromkeys(each.module for each in every):
        about = ast.get_docstring(_tree(PACKAGE / f"{module}.py")) or module
        rows = [
            f"| {_marked_down(happened)} | {_marked_down(remedy)} |"
            for happened, remedy in (
                each.halves for each in every if each.module == module
            )
        ]
        heading = about.splitlines()[0].rstrip(".")
        parts.append(
            "\n".join([f"## {heading}\n", "| message | what to do |", "| --- | --- |"])
            + "\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(parts)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _sentences(tree: ast.Module, kinds: set[str]) -> Iterator[str]:
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = {
        node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    }

    def texts_of(value: ast.expr) -> Iterator[str]:
        if isinstance(value, ast.Name) and value.id in constants:
            yield from texts_of(constants[value.id])
        elif isinstance(value, ast.Call) and _name(value.func) in functions:
            for node in ast.walk(functions[_name(value.func)]):
                if isinstance(node, ast.Return) and node.value:
                    yield _text(node.value)
        elif isinstance(table := constants.get(_table(value)), ast.Dict):
            for sentence in table.values:
                yield re.sub(r"{(\w+)}", r"‹\1›", _text(sentence))
        else:
            yield _text(value)

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _name(node.func) in kinds:
            yield from texts_of(node.args[0])
        if isinstance(node, ast.ClassDef) and node.name in kinds:
            for call in ast.walk(node):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Attribute)
                    and ast.unparse(call.func) == "super().__init__"
                    and call.args
                ):
                    yield _text(call.args[0])


def _table(value: ast.expr) -> str:
    """The name of the dictionary that `TABLE[...].format(...)` takes a text from."""
    match value:
        case ast.Call(ast.Attribute(ast.Subscript(ast.Name(name)), "format")):
            return name
    return ""


def _text(value: ast.expr) -> str:
    """A text, each value in it as its name in angle marks."""
    if isinstance(value, ast.Constant):
        return str(value.value)
    if isinstance(value, ast.JoinedStr):
        return "".join(map(_text, value.values))
    if isinstance(value, ast.BinOp):
        return _text(value.left) + _text(value.right)
    inner = value.value if isinstance(value, ast.FormattedValue) else value
    name = _name(inner).strip("_").replace("_", " ").lower()
    return f"‹{name}›" if name else "‹…›"


def _name(value: ast.AST) -> str:
    """The last name of an expression: what a value is called where it is used."""
    if isinstance(value, ast.Name):
        return value.id
    if isinstance(value, ast.Attribute):
        return value.attr
    if isinstance(value, ast.Subscript):
        return _name(value.value)
    if isinstance(value, ast.GeneratorExp):
        return _name(value.generators[0].iter)
    if isinstance(value, ast.Call):
        called = _name(value.func)
        if called in ARGUMENT_SAYS_MORE and value.args:
            return _name(value.args[0])
        if called in VALUE_SAYS_MORE and isinstance(value.func, ast.Attribute):
            return _name(value.func.value)
        return called
    return ""


def _split(sentence: str) -> Iterator[str]:
    for part in sentence.split("‹"):
        yield part.rpartition("›")[2].strip()


def _marked_down(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
