"""Mutants: the tree with one rule broken, which the tree's own tests must notice.

No file is changed: each process parses the tree once, and forks of it get another text
in one place of what was parsed. The unit tests of the models that a mutant touches run
first, those of many mutants at once; where they pass, it is built alone under the data
tests, with all that is behind it or, upon a second load, with all that its test reads.
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
from pathlib import Path
from typing import Any, Literal

import yaml
from tests.delivery import unbuilt

from reelhouse.errors import ReelhouseError
from reelhouse.settings import environment
from reelhouse.transform.build import parsed

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
    breaks shows only where a load meets what was built from another, in the node of
    that name: a test, or a model with a contract.
    """

    node: str
    rule: str
    before: str
    after: str
    part: Literal["code", "config"] = "code"
    second_load: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: `by` names what caught it, or tells the error."""

    mutant: Mutant
    result: Literal["caught", "SURVIVED", "ERROR"]
    by: str = ""


class BadMutant(ReelhouseError):
    """A mutant that does not fit the tree."""


def read(path: Path = LIST) -> list[Mutant]:
    """The mutants of a list; ReelhouseError where an entry is none."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    for entry in entries:
        if not (
            isinstance(entry, dict)
            and NEEDED <= entry.keys() <= NEEDED | {"part", "second_load"}
            and all(isinstance(value, str) for value in entry.values())
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


def in_batches(manifest: Any, mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """Mutants of models such that those of a batch touch no model in common.

    A unit test reads one model and the rows that it is given, so mutants of several
    models can be tried at once, and none hides another. The widest come first.
    """
    names = {
        mutant: {
            node.name
            for node in touched(manifest, find(manifest, mutant))
            if node.resource_type == "model"
        }
        for mutant in mutants
    }
    batches: list[tuple[list[Mutant], set[str]]] = []
    for mutant in sorted(mutants, key=lambda mutant: -len(names[mutant])):
        if not names[mutant]:
            continue
        free = [each for each in batches if not each[1] & names[mutant]]
        if not free:
            free = [([], set())]
            batches += free
        batch, taken = free[0]
        batch.append(mutant)
        taken |= names[mutant]
    return [batch for batch, _ in batches]


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
        # What dbt imports and compiles here, no fork has to.
        # dbt 1.12 cannot copy a manifest that has selectors.
        self.manifest.selectors = {}
        warm = self.manifest.deepcopy()
        shutil.copyfile(prepared / "built" / DATABASE, self.written / DATABASE)
        for command in ("test", "build"):
            dbt(self.written, command, "--select", *WARMING, manifest=warm)

    def try_units(self, batch: list[Mutant]) -> list[Verdict]:
        """What the unit tests say of the mutants of a batch."""
        return self.in_fork(self.told_by_units, batch)

    def try_build(self, mutant: Mutant) -> list[Verdict]:
        """What a build with its data tests says of a mutant."""
        return self.in_fork(self.told_by_build, [mutant])

    def in_fork(
        self, tell: Callable[[list[Mutant]], list[Verdict]], mutants: list[Mutant]
    ) -> list[Verdict]:
        """The verdicts on mutants, from a fork, which may use up its manifest.

        dbt stops at a failure without waiting for its threads; in one process, these
        and their open database would reach into the next mutant.
        """

        def send() -> None:
            try:
                sender.send(tell(mutants))
            except ReelhouseError as error:
                sender.send([Verdict(each, "ERROR", str(error)) for each in mutants])

        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=send)
        process.start()
        sender.close()
        try:
            verdicts: list[Verdict] = receiver.recv()
        except EOFError:
            process.join()
            ended = f"It ended with {process.exitcode}."
            return [Verdict(mutant, "ERROR", ended) for mutant in mutants]
        process.join()
        return verdicts

    def told_by_units(self, batch: list[Mutant]) -> list[Verdict]:
        owners = {}
        for mutant in batch:
            for node in touched(self.manifest, mutate(self.manifest, mutant)):
                if node.resource_type == "model":
                    owners[node.name] = mutant
        units = [f"test_type:unit,{name}" for name in owners]
        verdicts = {mutant: Verdict(mutant, "SURVIVED") for mutant in batch}
        found = failures(self.looked_at, self.manifest, "test", "--select", *units)
        for failure in reversed(found):
            mutant = owners[failure.model]
            verdicts[mutant] = failure.verdict(mutant)
        return list(verdicts.values())

    def told_by_build(self, mutants: list[Mutant]) -> list[Verdict]:
        (mutant,) = mutants
        nodes = touched(self.manifest, mutate(self.manifest, mutant))
        if mutant.second_load:
            warehouse = "pending"
            # What is tried is how rows are added, and not that a change is noticed.
            del self.manifest.macros["macro.reelhouse.should_full_refresh"]
            arguments = ["--indirect-selection", "empty"]
            arguments += ["--select", f"+{mutant.second_load}"]
        else:
            warehouse = "built"
            arguments = ["--full-refresh", "--select"]
            for node in nodes:
                is_last = node.resource_type == "test"
                arguments.append(node.name if is_last else f"{node.name}+")
        shutil.copyfile(self.prepared / warehouse / DATABASE, self.written / DATABASE)
        # The first failure tells of the mutant, and breaks off what comes after it.
        arguments += ["--exclude-resource-type", "unit_test", "--fail-fast"]
        found = failures(self.written, self.manifest, "build", *arguments)
        if not found:
            return [Verdict(mutant, "SURVIVED")]
        return [found[0].verdict(mutant)]


@dataclass(frozen=True)
class Failure:
    """A node that stopped, the model that it tests if it is a unit test, and why."""

    name: str
    model: str
    status: str
    message: str

    def verdict(self, mutant: Mutant) -> Verdict:
        """Caught by a test or a contract; what does not run is not caught."""
        if self.status == "fail":
            return Verdict(mutant, "caught", self.name)
        if CONTRACT.search(self.message):
            return Verdict(mutant, "caught", f"contract of {self.name}")
        error = f"It does not run, in {self.name}: {self.message}"
        return Verdict(mutant, "ERROR", error)


def failures(folder: Path, manifest: Any, *command: str) -> list[Failure]:
    """What a dbt command stops at, in its order."""
    found = []

    # Only events tell of a failure that breaks a command off for certain; results may
    # be without it.
    def listen(event: Any) -> None:
        if event.info.name == "NodeFinished":
            result = event.data.run_result
            if result.status in {"fail", "error", "runtime error"}:
                node = event.data.node_info
                model = node.unique_id.split(".")[2]
                message = " ".join(result.message.split())
                found.append(Failure(node.node_name, model, result.status, message))

    dbt(folder, *command, manifest=manifest, listen=listen)
    return found


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

    from reelhouse.transform.dbt import invoke

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


def _try_units(batch: list[Mutant]) -> list[Verdict]:
    return _bench.try_units(batch)


def _try_build(mutant: Mutant) -> list[Verdict]:
    return _bench.try_build(mutant)


def try_out(
    mutants: Sequence[Mutant], prepared: Path, folder: Path
) -> Iterator[Verdict]:
    """The verdict on each mutant, as soon as it is there, in no order.

    `prepared` is as a bench needs it; benches are made in `folder`.
    """
    manifest = parsed(unbuilt())
    fitting = []
    for mutant in mutants:
        try:
            node = find(manifest, mutant)
            broken(node, mutant)
            touched(manifest, node)
        except BadMutant as error:
            yield Verdict(mutant, "ERROR", str(error))
        else:
            fitting.append(mutant)
    with ProcessPoolExecutor(
        PROCESSES,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_set_up,
        initargs=(prepared, folder),
    ) as pool:
        left = set(fitting)
        for verdicts in pool.map(_try_units, in_batches(manifest, fitting)):
            for verdict in verdicts:
                if verdict.result != "SURVIVED":
                    left.discard(verdict.mutant)
                    yield verdict
        rest = [mutant for mutant in fitting if mutant in left]
        for verdicts in pool.map(_try_build, rest):
            yield from verdicts
