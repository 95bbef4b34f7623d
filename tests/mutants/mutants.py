"""Mutants: the tree with one rule broken, which the tree's own tests must notice.

No file is changed: each process parses the tree once, and each mutant has a fork of it,
where what was parsed gets another text in one place. The unit tests of the models that
it touches run first; where they pass, it is built with all that is behind it, under
the data tests.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import yaml
from tests.delivery import unbuilt

from reelhouse.build import parsed
from reelhouse.errors import ReelhouseError
from reelhouse.settings import environment

LIST = Path(__file__).with_name("mutants.yml")
DATABASE = "reelhouse.duckdb"
PROCESSES = 2
# Two models with unit tests and data tests, a table and one that grows.
WARMING = ("mart_genre_ratings", "int_user_days_summed")
NEEDED = {"node", "rule", "before", "after"}

# What guards a table while it is built; any other error is the mutant's own.
CONTRACT = re.compile(r"Constraint Error|enforced contract")


@dataclass(frozen=True)
class Mutant:
    """One rule of the tree, and how to break it.

    `node` is a model, a snapshot or a macro. `before` stands exactly once in its code
    or, where `part` is config, in its configuration as JSON. With `second_load`, what
    breaks shows only where a load meets what was built from another.
    """

    node: str
    rule: str
    before: str
    after: str
    part: Literal["code", "config"] = "code"
    second_load: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: `by` names what caught it, or tells the error."""

    mutant: Mutant
    result: Literal["caught", "SURVIVED", "ERROR"]
    by: str = ""


class BadMutant(ReelhouseError):
    """A mutant that does not fit the tree, or that no engine would run."""


def read(path: Path = LIST) -> list[Mutant]:
    """The mutants of a list; ReelhouseError where an entry is none."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    for entry in entries:
        if not (
            isinstance(entry, dict)
            and NEEDED <= entry.keys() <= NEEDED | {"part", "second_load"}
            and all(isinstance(entry[key], str) for key in NEEDED)
            and entry.get("part", "code") in {"code", "config"}
        ):
            raise ReelhouseError(
                f"{path.name} has an entry that is no mutant: {entry}. Its head tells "
                f"what an entry needs; what YAML takes for no text goes in quotes."
            )
    return [Mutant(**entry) for entry in entries]


def mutate(manifest: Any, mutant: Mutant) -> Any:
    """Break a rule in a manifest, in place; the node or macro that has changed.

    Raises BadMutant where there is no such node, or not one such text in it.
    """
    node = find(manifest, mutant)
    text = broken(node, mutant)
    if mutant.part == "config":
        node.config = type(node.config).from_dict(json.loads(text))
    elif node.resource_type == "macro":
        node.macro_sql = text
    else:
        node.raw_code = text
    return node


def find(manifest: Any, mutant: Mutant) -> Any:
    """The node or macro of a manifest that a mutant breaks."""
    for each in [*manifest.nodes.values(), *manifest.macros.values()]:
        if (
            each.name == mutant.node
            and each.package_name == "reelhouse"
            and each.resource_type in {"model", "snapshot", "macro"}
        ):
            return each
    raise BadMutant(
        f"There is no model, snapshot or macro '{mutant.node}': name another one in "
        f"{LIST.name}."
    )


def broken(node: Any, mutant: Mutant) -> str:
    """The text of a node with its rule broken."""
    if mutant.part == "config":
        text = json.dumps(node.config.to_dict())
    else:
        text = node.macro_sql if node.resource_type == "macro" else node.raw_code
    count = text.count(mutant.before)
    if count != 1:
        raise BadMutant(
            f"The {mutant.part} of {mutant.node} has the text {mutant.before!r} "
            f"{count} times, not once: change what is before in {LIST.name}."
        )
    return str(text.replace(mutant.before, mutant.after))


def touched(manifest: Any, changed: Any) -> list[Any]:
    """The models, snapshots and tests that a changed node or macro is a part of."""
    if changed.resource_type != "macro":
        return [changed]
    macros: set[str] = set()
    users = [changed]
    # One macro may use another by way of a third.
    while users:
        macros |= {each.unique_id for each in users}
        users = [
            each
            for each in manifest.macros.values()
            if each.unique_id not in macros and macros & set(each.depends_on.macros)
        ]
    nodes = [
        each
        for each in manifest.nodes.values()
        if each.resource_type in {"model", "snapshot", "test"}
        and macros & set(each.depends_on.macros)
    ]
    if not nodes:
        raise BadMutant(f"No model, snapshot or test uses the macro {changed.name}.")
    return nodes


class Bench:
    """A tree and warehouses of a process's own, to try mutants on.

    `prepared` has two folders: `built` with a warehouse that is built, `pending`
    with one that was built and has loaded more since.
    """

    def __init__(self, prepared: Path, folder: Path) -> None:
        self.prepared = prepared
        # Unit tests take the columns of their inputs from here, and change nothing.
        self.looked_at = folder / "looked_at"
        self.written = folder / "written"
        self.written.mkdir(parents=True)
        shutil.copytree(prepared / "built", self.looked_at)
        # dbt leaves marks in a manifest that it works with.
        self.manifest = parsed(unbuilt())
        self.other = self.manifest.deepcopy()
        # What dbt imports and compiles here, no fork has to.
        warm = self.manifest.deepcopy()
        shutil.copyfile(prepared / "built" / DATABASE, self.written / DATABASE)
        for command in ("test", "build"):
            dbt(self.written, command, "--select", *WARMING, manifest=warm)

    def try_out(self, mutant: Mutant) -> Verdict:
        """The verdict on a mutant, from a fork.

        dbt stops at a failure without waiting for its threads; in one process, these
        and their open database would reach into the next mutant.
        """
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=self.tell, args=(mutant, sender))
        process.start()
        sender.close()
        try:
            verdict: Verdict = receiver.recv()
        except EOFError:
            process.join()
            return Verdict(mutant, "ERROR", f"It ended with {process.exitcode}.")
        # Threads that still work are not waited for.
        process.kill()
        process.join()
        return verdict

    def tell(self, mutant: Mutant, sender: Connection) -> None:
        """Send the verdict on a mutant. Both manifests are used up."""
        try:
            by = self.caught_by(mutant)
        except ReelhouseError as error:
            sender.send(Verdict(mutant, "ERROR", str(error)))
        else:
            sender.send(Verdict(mutant, "caught" if by else "SURVIVED", by))

    def caught_by(self, mutant: Mutant) -> str:
        """What notices a mutant; empty where nothing does. Raises ReelhouseError."""
        manifest = self.manifest
        nodes = touched(manifest, mutate(manifest, mutant))
        models = [each.name for each in nodes if each.resource_type == "model"]
        if models:
            units = [f"test_type:unit,{name}" for name in models]
            if by := guard(self.looked_at, manifest, "test", "--select", *units):
                return by
            manifest = self.other
            mutate(manifest, mutant)
        if mutant.second_load:
            # With all that is before what is behind: of the rest, nothing is built
            # for the second load, so that tests which look there would fail.
            warehouse = "pending"
            arguments = ["--indirect-selection", "cautious", "--select"]
            arguments += [f"@{node.name}" for node in nodes]
        else:
            warehouse = "built"
            arguments = ["--full-refresh", "--select"]
            for node in nodes:
                is_last = node.resource_type == "test"
                arguments.append(node.name if is_last else f"{node.name}+")
        shutil.copyfile(self.prepared / warehouse / DATABASE, self.written / DATABASE)
        arguments += ["--exclude-resource-type", "unit_test"]
        return guard(self.written, manifest, "build", *arguments)


def guard(folder: Path, manifest: Any, *command: str) -> str:
    """The test or contract that stops a dbt command; empty where nothing does.

    Raises BadMutant where something else stops it: what does not run is not caught.
    """
    failed = []

    def listen(event: Any) -> None:
        if event.info.name == "NodeFinished":
            result = event.data.run_result
            if result.status in {"fail", "error", "runtime error"}:
                failed.append((event.data.node_info.node_name, result))

    # Only the first failure tells of the mutant, since it breaks off what comes after
    # it; and only events tell of it for certain, results may be without it.
    dbt(folder, *command, "--fail-fast", manifest=manifest, listen=listen)
    if not failed:
        return ""
    name, result = failed[0]
    if result.status == "fail":
        return str(name)
    message = " ".join(result.message.split())
    if CONTRACT.search(message):
        return f"contract of {name}"
    raise BadMutant(f"It does not run, in {name}: {message}")


def dbt(
    folder: Path,
    *command: str,
    manifest: Any = None,
    listen: Callable[[Any], None] | None = None,
) -> Any:
    """What a dbt command on the warehouse of a folder returns.

    Raises ReelhouseError where it does not get that far.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    from reelhouse.dbt_runner import invoke

    # What fails first must not depend on what is done beside it. A mutant asks for few
    # schemas, and dbt looks at each as it is asked for.
    alone = [*command, "--threads", "1", "--no-populate-cache"]
    with environment({"REELHOUSE_WAREHOUSE": str(folder)}):
        try:
            return invoke(alone, "dev", folder, manifest=manifest, listen=listen)
        finally:
            DuckDBConnectionManager.close_all_connections()


_bench: Bench


def _set_up(prepared: Path, folder: Path) -> None:
    global _bench
    _bench = Bench(prepared, folder / f"bench-{os.getpid()}")


def _try_out(mutant: Mutant) -> Verdict:
    return _bench.try_out(mutant)


def try_out(
    mutants: Sequence[Mutant], prepared: Path, folder: Path
) -> Iterator[Verdict]:
    """The verdict on each mutant, in order, each as soon as it is there.

    `prepared` is as a bench needs it; benches are made in `folder`.
    """
    with ProcessPoolExecutor(
        PROCESSES,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_set_up,
        initargs=(prepared, folder),
    ) as pool:
        yield from pool.map(_try_out, mutants)
