"""Mutants: the tree with one rule broken, which the tree's own tests must notice.

No file changes: each process parses the tree once, and its forks change one text in the
parsed manifest. First the unit tests of the affected models run, for many mutants at
once. If they pass, the mutant is built alone with the data tests: with everything
downstream or, for a second load, with everything upstream of its test.
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
# Two models with unit tests and data tests, one a table and one incremental.
WARMING = ("mart_genre_ratings", "int_user_days_summed")
NEEDED = {"node", "rule", "before", "after"}

# Errors of a contract, which catch a mutant; other errors are its own fault.
CONTRACT = re.compile(r"Constraint Error|enforced contract")


@dataclass(frozen=True)
class Mutant:
    """One rule of the tree, and how to break it.

    `node` is a model, a snapshot or a macro. `before` occurs exactly once in its code
    or, if `part` is config, in its configuration as JSON. `second_load` names a test,
    or a model with a contract, that notices the broken rule only when a second load is
    built onto tables from a first one.
    """

    node: str
    rule: str
    before: str
    after: str
    part: Literal["code", "config"] = "code"
    second_load: str = ""


@dataclass(frozen=True)
class Verdict:
    """The result of a mutant: `by` names what caught it, or describes the error."""

    mutant: Mutant
    result: Literal["caught", "SURVIVED", "ERROR"]
    by: str = ""


class BadMutant(ReelhouseError):
    """A mutant that does not fit the tree."""


def read(path: Path = LIST) -> list[Mutant]:
    """Return the mutants of a list; raises ReelhouseError for an invalid entry."""
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
    """Break a rule in a manifest, in place, and return the changed node or macro.

    Raises BadMutant if there is no such node, or if the text is not in it exactly once.
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
    """Return the node or macro that a mutant breaks; raises BadMutant if none."""
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
    """Return the text of a node with its rule broken."""
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
    """Return models, snapshots and tests that a changed node or macro affects."""
    if changed.resource_type != "macro":
        return [changed]
    macros: set[str] = set()
    users = [changed]
    # One macro may use another through a third.
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
    """Group mutants of models so that no two in a batch affect the same model.

    A unit test reads one model and the rows that it is given, so mutants of several
    models can be tested at once, and none hides another. The widest come first.
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
    """A tree and warehouses of one process, to test mutants on.

    `prepared` has two folders: `built` with a built warehouse, and `pending` with one
    that has loaded more since it was built.
    """

    def __init__(self, prepared: Path, folder: Path) -> None:
        self.prepared = prepared
        # Unit tests read the columns of their inputs here, and change nothing.
        self.looked_at = folder / "looked_at"
        self.written = folder / "written"
        self.written.mkdir(parents=True)
        shutil.copytree(prepared / "built", self.looked_at)
        # dbt changes a manifest that it works with, so it gets a copy of this one.
        self.manifest = parsed(unbuilt())
        # Import and compile here once, not in every fork. dbt 1.12 cannot copy a
        # manifest that has selectors.
        self.manifest.selectors = {}
        warm = self.manifest.deepcopy()
        shutil.copyfile(prepared / "built" / DATABASE, self.written / DATABASE)
        for command in ("test", "build"):
            dbt(self.written, command, "--select", *WARMING, manifest=warm)

    def try_units(self, batch: list[Mutant]) -> list[Verdict]:
        """Run the unit tests on the mutants of a batch and return the verdicts."""
        return self.in_fork(self.told_by_units, batch)

    def try_build(self, mutant: Mutant) -> list[Verdict]:
        """Build a mutant with its data tests and return the verdict."""
        return self.in_fork(self.told_by_build, [mutant])

    def in_fork(
        self, tell: Callable[[list[Mutant]], list[Verdict]], mutants: list[Mutant]
    ) -> list[Verdict]:
        """Return the verdicts from a fork, which may change its manifest.

        dbt stops at a failure without waiting for its threads. In a single process,
        these and their open database would affect the next mutant.
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
            # Test how rows are added: rebuilding the changed model would hide that.
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
        # Stop at the first failure, which names what caught the mutant.
        arguments += ["--exclude-resource-type", "unit_test", "--fail-fast"]
        found = failures(self.written, self.manifest, "build", *arguments)
        if not found:
            return [Verdict(mutant, "SURVIVED")]
        return [found[0].verdict(mutant)]


@dataclass(frozen=True)
class Failure:
    """A failed node, why it failed and, for a unit test, the model that it tests."""

    name: str
    model: str
    status: str
    message: str

    def verdict(self, mutant: Mutant) -> Verdict:
        """Only a failed test or contract counts as caught, other errors do not."""
        if self.status == "fail":
            return Verdict(mutant, "caught", self.name)
        if CONTRACT.search(self.message):
            return Verdict(mutant, "caught", f"contract of {self.name}")
        error = f"It does not run, in {self.name}: {self.message}"
        return Verdict(mutant, "ERROR", error)


def failures(folder: Path, manifest: Any, *command: str) -> list[Failure]:
    """Return the nodes at which a dbt command fails, in order."""
    found = []

    # Read events: the results may lack the failure that made dbt stop.
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
    """Run a dbt command on the warehouse of a folder and return its result.

    Raises ReelhouseError if dbt fails before it runs any node.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    from reelhouse.transform.dbt import invoke

    # With one thread, always the same test fails first. A mutant needs few schemas, and
    # dbt looks at each only when it needs it.
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
    """Yield the verdict on each mutant as soon as it is known, in no fixed order.

    `prepared` is what Bench needs; the benches are made in `folder`.
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
