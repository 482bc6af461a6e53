"""What runs left, read by light processes: results, logs, comparisons, plans, and reports made of them.

Apart from `api.py`, which starts, follows and ends runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ... import __version__
from ..advice.columns import columns
from ..advice.comparable import with_conditions
from ..advice.compare import Comparison, compare
from ..advice.goals import Goal, parse_goal
from ..advice.recomputed import RawSamples, Recomputed, with_computed
from ..advice.spread import Spreads, sample_sets
from ..errors import EdgetuiError, StorageRefused
from ..runs.asking import meant
from ..runs.assemble import assemble
from ..runs.folder import RunDir, run_paths
from ..runs.notify import ending_words
from ..runs.outcome import judged
from ..runs.queries import Listen, PlanQuestion, RecomputeQuestion, Side, SpreadQuestion, ask, plan_of, sides_of
from ..runs.tell_crashed import tell_crashed
from ..schema.plan import PlanFacts
from ..schema.ready import ready
from ..schema.result import Result
from ..schema.spec import RunSpec
from .sensing import Sensing

if TYPE_CHECKING:
    from ..report.evidence import Evidence, PlanInside
    from ..report.run_export import Exported


class Finished(Sensing):
    """The half of the engine that reads runs."""

    async def _find(self, run: str) -> RunDir:
        """A run by its id or a part of it; files are read for that, so not where the screen waits."""
        return await asyncio.to_thread(RunDir.find, self.home, run)

    async def result(self, run: str) -> Result:
        """The result document; of a run that has not ended what is known by now."""
        folder = await self._find(run)
        known = await asyncio.to_thread(folder.result)
        return known if known is not None else await asyncio.to_thread(assemble, self.home, folder)

    async def spec(self, run: str) -> RunSpec:
        """What was asked."""
        folder = await self._find(run)
        return (await asyncio.to_thread(folder.asked)).spec

    async def log(self, run: str, last_bytes: int = 65536) -> str:
        """The end of log.txt."""
        folder = await self._find(run)
        return await asyncio.to_thread(folder.log_end, last_bytes)

    async def inspect_plan(self, question: PlanQuestion, listen: Listen | None = None) -> PlanFacts:
        """What is inside a plan; of one of TensorRT that cannot be loaded here what its manifest says.

        Raises:
            EdgetuiError: it is not there, not for this machine, or broken.
        """
        return msgspec.json.decode(await ask(self.home, question, listen), type=ready(PlanFacts))

    async def plan_of(self, run: str, side: Side = "candidate") -> PlanQuestion:
        """The question what is inside a run's plan.

        Raises:
            EdgetuiError: there is no such run, or it has no plan, or not yet.
        """
        result = await self.result(run)
        return plan_of(result, await self.spec(result.run), side)

    async def compare(self, runs: Sequence[str], goal: Goal | str = "", front_over: str = "") -> Comparison:
        """Several runs side by side, with advice; a group's id stands for its runs. `front_over`: axes of the front."""
        return compare([await self._told(run) for run in await self._all(runs)], goal, front_over)

    async def members(self, text: str) -> tuple[str, ...]:
        """The ids of the runs that a group's id, or a run's or a part of one, means.

        Raises:
            StorageRefused: there is none, or more than one.
        """
        return tuple(folder.name for folder in await asyncio.to_thread(meant, self.home, text))

    async def together(self, run: str) -> tuple[str, ...]:
        """The ids of the runs that were started with this one, itself among them."""
        return await self.members(await self.group_of(run))

    async def going(self, run: str) -> bool:
        """Whether a run has not ended: its supervisor lives."""
        return await asyncio.to_thread((await self._find(run)).alive)

    def taken_at(self, run: str) -> int:
        """Another number each time that somebody begins to carry a run, or takes it up again; 0: nobody has."""
        try:
            return os.stat(self.home / "runs" / run / "alive.lock").st_mtime_ns  # noqa: PTH116 - asked every second
        except OSError:
            return 0

    async def ending_words(self, run: str) -> str:
        """How a run ended, in a line: `resnet20 int8: done, faster; smaller`."""
        result = await self.result(run)
        await asyncio.to_thread(tell_crashed, self.home, [result.run])
        model = result.model.path if result.model else run
        if result.model is None:  # none was read of one that waited
            with contextlib.suppress(StorageRefused):
                model = (await self.spec(result.run)).model
        return ending_words(Path(model).stem, result.recipe.name, result)

    def run_ids(self) -> tuple[str, ...]:
        """Ids of runs, in the order of their names from the end: the newest first. One look at one folder."""
        return tuple(sorted((path.name for path in run_paths(self.home)), reverse=True))

    def runs_stamp(self) -> int:
        """Another number whenever a run folder has come or gone, or a run was taken up again; one look at one folder."""
        try:
            return os.stat(self.home / "runs").st_mtime_ns  # noqa: PTH116 - asked every second
        except OSError:
            return 0

    async def part_of(self, run: str) -> str:
        """The study or search that a run is part of, with its place in it, or what a fleet asked for it by; empty: somebody has
        begun it alone.
        """
        asked = await asyncio.to_thread((await self._find(run)).asked)
        return asked.study or asked.once

    async def group_of(self, run: str) -> str:
        """The id of the group that a run is a member of, or its own."""
        folder = await self._find(run)
        return (await asyncio.to_thread(folder.asked)).group or folder.name

    async def _all(self, runs: Sequence[str]) -> tuple[str, ...]:
        """Each run once."""
        return tuple(dict.fromkeys([run for text in runs for run in await self.members(text)]))

    async def _told(self, run: str) -> Result:
        """A result with the conditions it was made under, also one of a version that did not write them."""
        found = await self.result(run)
        if found.conditions:
            return found
        folder = await self._find(run)
        with contextlib.suppress(StorageRefused):  # a result can be read without what was asked
            return with_conditions(found, await asyncio.to_thread(folder.asked))
        return found

    async def latencies(self, runs: Sequence[str]) -> Spreads:
        """How the single latencies of each column of `compare` spread, over one axis."""
        shown = columns([await self._told(run) for run in await self._all(runs)])
        answer = await ask(self.home, SpreadQuestion(sets=sample_sets(shown)), None)
        return msgspec.json.decode(answer, type=ready(Spreads))

    async def evidence(
        self, runs: Sequence[str], goal: str = "", *, layers: bool = False, listen: Listen | None = None
    ) -> Evidence:
        """All that a report of these runs is made of: their figures computed again from their raw samples, and how single
        inferences spread; with `layers` what is inside their plans, for which the board must be free.

        Raises:
            EdgetuiError: there is no such run, or no such goal.
        """
        from ..report.evidence import Evidence

        wanted = parse_goal(goal)
        folders = {folder.name: folder for folder in [await self._find(run) for run in await self._all(runs)]}
        stored = tuple([await self._told(name) for name in folders])
        samples = [_samples(result, folder) for result, folder in zip(stored, folders.values(), strict=True)]
        answer = await ask(self.home, RecomputeQuestion(runs=tuple(samples)), listen)
        again = msgspec.json.decode(answer, type=ready(tuple[Recomputed, ...]))
        shown = tuple(map(_put_right, stored, again))
        comparison = compare(shown, wanted)
        spread = await ask(self.home, SpreadQuestion(sets=sample_sets(columns(shown))), listen)
        found = msgspec.structs.replace(comparison, latencies=msgspec.json.decode(spread, type=ready(Spreads)))
        plans = await self._insides(list(folders), shown, listen) if layers else ()
        return Evidence(results=shown, stored=stored, comparison=found, recomputed=again, plans=plans, version=__version__)

    async def _insides(self, names: Sequence[str], results: Sequence[Result], listen: Listen | None) -> tuple[PlanInside, ...]:
        from ..report.evidence import PlanInside

        found = []
        for name, result in zip(names, results, strict=True):
            for side in sides_of(result):
                try:
                    facts = await self.inspect_plan(plan_of(result, await self.spec(name), side), listen)
                except EdgetuiError as error:  # of a run that has no plan, or whose plan is for another machine
                    facts = PlanFacts(name=side).without_layers(error.refusal)
                found.append(PlanInside(result.run, side, facts))
        return tuple(found)

    async def export(
        self,
        runs: Sequence[str],
        to: Path,
        goal: str = "",
        *,
        layers: bool = False,
        mlflow: str = "",
        listen: Listen | None = None,
    ) -> Exported:
        """Write a folder with a report of these runs and all that they made; see `report.run_export.export`. `mlflow`: the
        address of a server that is told as well.

        Raises:
            StorageRefused: the folder is there already, cannot be written to, or the disk is full; mlflow is not installed,
                or its server did not take the runs: the folder stays then.
            EdgetuiError: as `evidence`.
        """
        from ..report.mlflow_log import log_runs, refuse_without_mlflow
        from ..report.run_export import export, refuse_full

        await asyncio.to_thread(refuse_full, to)
        if mlflow:
            await asyncio.to_thread(refuse_without_mlflow)
        folders = {folder.name: folder.path for folder in [await self._find(run) for run in await self._all(runs)]}
        told = await self.evidence(list(folders), goal, layers=layers, listen=listen)
        written = await asyncio.to_thread(export, told, tuple(folders.values()), to)
        logged = await asyncio.to_thread(log_runs, told, to, mlflow) if mlflow else ()
        return msgspec.structs.replace(written, mlflow=logged)


RAW = ("latencies", "energy", "workload", "evaluation")


def _samples(result: Result, folder: RunDir) -> RawSamples:
    """Where a run's raw samples lie: in its own folder, wherever its document says they were."""
    names = {word: Path(result.artifacts[word]).name for word in RAW if result.artifacts.get(word)}
    return RawSamples(result=result, **{word: str(folder.artifacts / name) for word, name in names.items()})


def _put_right(result: Result, again: Recomputed) -> Result:
    right = with_computed(result, again)
    return judged(right) if again.different and result.state == "done" else right
