"""Every private part of other packages that is used is on docs/private-parts.md."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

from tests.project import PROJECT

PACKAGE = PROJECT / "scripts/reelhouse"
OURS = {"reelhouse", "tools", *sys.stdlib_module_names}
PAGE = (PROJECT / "docs/private-parts.md").read_text(encoding="utf-8")
LISTED = [
    (re.findall(r"`([\w.]+)`", parts), place)
    for parts, place in re.findall(r"^\|[^|]+\|([^|]+)\| `([^`|]+)` \|", PAGE, re.M)
]


def foreign_parts(tree: ast.Module) -> Iterator[str]:
    """Yield private names that subclasses use, and names replaced in other modules."""
    foreign = {
        (name.asname or name.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
        if (getattr(node, "module", None) or name.name).partition(".")[0] not in OURS
    }

    def root(node: ast.AST) -> str:
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        if isinstance(node, ast.Call) and root(node.func) == "vars":
            return root(node.args[0])
        return node.id if isinstance(node, ast.Name) else ""

    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and foreign & set(map(root, node.bases)):
            yield from _inherited(node)
        for target in getattr(node, "targets", []):
            if isinstance(target, ast.Attribute) and root(target) in foreign:
                yield target.attr
            if isinstance(target, ast.Subscript) and root(target) in foreign:
                match target.value, target.slice:
                    case ast.Call(), ast.Constant(value=str(name)):
                        yield name
                    case ast.Name(id=name), _:
                        yield name


def _inherited(node: ast.ClassDef) -> Iterator[str]:
    used = [each for each in ast.walk(node) if isinstance(each, ast.Attribute)]
    own = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    own |= {each.attr for each in used if isinstance(each.ctx, ast.Store)}
    for each in used:
        of = ast.unparse(each.value)
        if re.match("_[^_]", each.attr) and (
            of == "super()" or (of == "self" and each.attr not in own)
        ):
            yield each.attr


def test_each_private_part_is_listed() -> None:
    listed = {(PACKAGE / place, name) for names, place in LISTED for name in names}
    used = {
        (path, name)
        for path in PACKAGE.rglob("*.py")
        for name in foreign_parts(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert len(used) > 10
    assert not used - listed


def test_each_listed_part_is_used_where_it_is_said_to_be() -> None:
    assert len(LISTED) == PAGE.count("\n| ") - 2
    for names, place in LISTED:
        text = (PACKAGE / place).read_text(encoding="utf-8")
        assert names
        assert not [name for name in names if name not in text], place
