"""Studies: plan one, begin or take it up, follow it, end it, and its table, which is made from its runs each time.

Apart from `api.py` and `finished.py`, which know single runs and groups of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ..advice.study_boards import side_by_side
from ..advice.study_choice import choice_rows, foretell, ranking_rows
from ..advice.study_rows import Experiments, Gathered, study_rows
from ..errors import EdgetuiError, StorageRefused
from ..library.studies import broken_studies, find_study, list_studies
from ..runs.carrying import begin_driver
from ..runs.driven_folder import called
from ..runs.folder import RunDir
from ..runs.index import Index
from ..runs.study_driver import MODULE
from ..runs.study_folder import Standing, StudyDir, create_study, same_study, standing, study_folders
from ..runs.study_plan import plan_study
from ..runs.study_time import study_time
from ..schema.model_facts import ModelFacts
from ..schema.result import Result, State
from ..schema.settings import BackendSettings, settings_with
from ..schema.study import Study, StudyGroup, StudyRequest
from ..schema.study_table import StudyDone, StudyListed, StudyTable, StudyTime
from .finished import Finished

if TYPE_CHECKING:
    from collections.abc import Mapping

_GOING = ("running", "queued", "crashed", "cancelled")
"""States of a study in which a result may still come."""


class GroupOfStudy(NamedTuple):
    """One of a study's groups, as far as it is."""

    group: StudyGroup
    runs: tuple[str, ...]
    """Empty: it was not submitted."""
    ended: bool
    going: bool
    """A supervisor carries some of them."""


class Studying(Finished, ABC):
    """The part of the engine that takes runs together as studies."""

    async def studies(self) -> tuple[StudyListed, ...]:
        """The studies that ship, and the user's own, that can be read, with what was done of each."""
        done: dict[str, list[StudyDone]] = {}
        for folder in await asyncio.to_thread(study_folders, self.home):
            with contextlib.suppress(StorageRefused):
                asked, stands = await self._standing(folder)
                told = StudyDone(id=asked.id, small=asked.small, state=stands.state, done=stands.done, groups=len(asked.groups))
                done.setdefault(asked.study.name, []).append(told)
        known = await asyncio.to_thread(list_studies)
        return tuple(StudyListed(study=each.name, title=each.title, here=tuple(done.get(each.name, ()))) for each in known)

    def broken_studies(self) -> tuple[str, ...]:
        """A sentence for each that cannot be read."""
        return broken_studies()

    @abstractmethod
    async def inspect(self, model: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> ModelFacts:
        """What is in a model; the front knows how to ask."""

    async def plan_study(
        self, name: str, *, small: bool = False, backend: BackendSettings | None = None, elsewhere: bool = False
    ) -> StudyRequest:
        """What is asked by a study here, by its name or its file: its runs, and what is left out and why.

        `elsewhere`: by boards of a fleet, which may have what is not installed here.

        Raises:
            ConfigRefused: there is no such study, or it is not valid.
        """
        chosen = self.config.defaults.backend
        settings = backend or settings_with(chosen, self.config.backend.of(chosen))
        study = await asyncio.to_thread(find_study, name)
        return await asyncio.to_thread(plan_study, study, self.config, settings, small=small, elsewhere=elsewhere)

    async def study_over(self, asked: StudyRequest, found: Mapping[str, Sequence[Sequence[Result]]]) -> StudyTable:
        """The table of a study that boards have done: by their names, the results of each of its groups, none where there is
        none yet.
        """
        foretold = msgspec.structs.replace(asked, foretold=foretell(asked, await self._facts_for_choices(asked)))
        return side_by_side({board: study_table(foretold, _stands(asked, results)) for board, results in found.items()})

    async def study_time(self, asked: StudyRequest, *, again: bool = False) -> StudyTime:
        """How long what is left of it will take; `again`: all of it."""
        folder = None if again else await asyncio.to_thread(same_study, self.home, asked)
        left: Sequence[StudyGroup] = asked.groups
        if folder is not None:
            left = [each.group for each in await self.study_groups(folder.id) if not each.ended]
        has_power = await asyncio.to_thread(self._has_power)
        return await asyncio.to_thread(study_time, left, Index(self.home).similar_seconds, has_power=has_power)

    def _has_power(self) -> bool:
        with contextlib.suppress(EdgetuiError, OSError):
            return self.sense().total_mw is not None
        return False

    async def known_study(self, asked: StudyRequest) -> str:
        """The id of the newest study in which just this was asked; empty: there is none."""
        folder = await asyncio.to_thread(same_study, self.home, asked)
        return "" if folder is None else folder.id

    async def begin_study(self, asked: StudyRequest, *, again: bool = False) -> str:
        """Begin a study, or take up what has not ended of the same; returns its id. One that is going or done is left as it is.

        `again`: anew, whatever was done.

        Raises:
            StorageRefused: the state folder cannot be written.
            EdgetuiError: a model cannot be read.
        """
        folder = None if again else await asyncio.to_thread(same_study, self.home, asked)
        if folder is None:
            foretold = foretell(asked, await self._facts_for_choices(asked))
            folder = await asyncio.to_thread(create_study, self.home, msgspec.structs.replace(asked, foretold=foretold))
        state = (await self._standing(folder))[1].state
        if state not in ("done", "running"):
            await asyncio.to_thread(begin_driver, folder, MODULE)
        return folder.id

    async def _facts_for_choices(self, asked: StudyRequest) -> dict[str, ModelFacts]:
        wanted = {choice.experiment for choice in asked.study.choice}
        models = {group.model: group.specs[0] for group in asked.groups if group.experiment in wanted}
        found: dict[str, ModelFacts] = {}
        for name, spec in models.items():
            with contextlib.suppress(EdgetuiError):  # its runs will say why
                found[name] = await self.inspect(Path(spec.model), spec.shapes)
        return found

    async def end_study(self, study: str) -> None:
        """End the group that is going, and submit no other; returns when nobody works for the study.

        Raises:
            StorageRefused: there is no such study.
        """
        folder = await asyncio.to_thread(self._study_folder, study)
        await asyncio.to_thread(folder.ask_to_end)
        while await asyncio.to_thread(folder.alive):
            await asyncio.sleep(0.1)

    async def resume_study(self, study: str) -> None:
        """Take a study up that was ended, killed or failed; what has ended well stays.

        Raises:
            StorageRefused: there is no such study, or it is going or done.
        """
        folder = await asyncio.to_thread(self._study_folder, study)
        if (state := (await self._standing(folder))[1].state) in ("done", "running"):
            raise StorageRefused(f"study {folder.id} is {state}", fix="begin it anew with `edgetui study --again`")
        await asyncio.to_thread(begin_driver, folder, MODULE)

    async def study_called(self, text: str) -> str:
        """The id of the study that a text means; empty: none.

        Raises:
            StorageRefused: several have it in their ids.
        """
        folder = await asyncio.to_thread(lambda: called(study_folders(self.home), text, "studies"))
        return "" if folder is None else folder.id

    async def study_table(self, study: str) -> StudyTable:
        """A study's table as far as it is known.

        Raises:
            StorageRefused: there is no such study.
        """
        folder = await asyncio.to_thread(self._study_folder, study)
        asked, stands = await self._standing(folder)
        return await asyncio.to_thread(study_table, asked, stands)

    async def about_study(self, name: str) -> Study:
        """A study as its file says it.

        Raises:
            ConfigRefused: there is none, or it is not valid.
        """
        return await asyncio.to_thread(find_study, name)

    async def study_groups(self, study: str) -> tuple[GroupOfStudy, ...]:
        """Its groups, in the order in which they are done."""
        folder = await asyncio.to_thread(self._study_folder, study)
        asked, stands = await self._standing(folder)
        going = await asyncio.to_thread(lambda: [self._going(runs) for runs in stands.runs])
        return tuple(
            GroupOfStudy(group, runs, bool(runs) and len(results) == len(runs), goes)
            for group, runs, results, goes in zip(asked.groups, stands.runs, stands.results, going, strict=True)
        )

    def _going(self, runs: Sequence[str]) -> bool:
        return any(RunDir(self.home / "runs" / run).alive() for run in runs)

    async def study_alive(self, study: str) -> bool:
        """Whether somebody submits its groups."""
        return await asyncio.to_thread(lambda: self._study_folder(study).alive())

    async def _standing(self, folder: StudyDir) -> tuple[StudyRequest, Standing]:
        asked = await asyncio.to_thread(folder.asked)
        return asked, await asyncio.to_thread(standing, folder, asked)

    def _study_folder(self, study: str) -> StudyDir:
        for folder in study_folders(self.home):
            if folder.id == study:
                return folder
        raise StorageRefused(f"there is no study `{study}` here", fix="`edgetui study` lists them")


def _stands(asked: StudyRequest, found: Sequence[Sequence[Result]]) -> Standing:
    """How far a study is whose groups have these results."""
    results = tuple(dict(zip(group.variants, runs, strict=False)) for group, runs in zip(asked.groups, found, strict=True))
    whole = [len(runs) == len(group.variants) for group, runs in zip(asked.groups, found, strict=True)]
    ended = {result.state for runs in found for result in runs}
    state: State = "crashed" if not all(whole) else "done" if "done" in ended else "failed"
    return Standing(state, sum(whole), results, tuple(tuple(result.run for result in runs) for runs in found))


def study_table(asked: StudyRequest, stands: Standing) -> StudyTable:
    """The table of what was asked, from the results that are there."""
    found = _experiments(asked, stands)
    rows = (*study_rows(asked, found), *ranking_rows(asked, found), *choice_rows(asked, found))
    runs = tuple(run for names in stands.runs for run in names)
    results = [result for group in stands.results for result in group.values()]
    study = asked.study
    return StudyTable(
        study=study.name,
        id=asked.id,
        state=stands.state,
        small=asked.small,
        title=study.title,
        paper=study.paper,
        board=study.board,
        here=_measured_on(results),
        variants=tuple(variant.name for variant in study.variant),
        rows=rows,
        runs=runs,
        failed=tuple(result.run for result in results if result.state == "failed"),
        done=stands.done,
        groups=len(asked.groups),
        notes=(*study.notes, *asked.notes),
    )


def _experiments(asked: StudyRequest, stands: Standing) -> Experiments:
    names = list(dict.fromkeys(model.name for model in asked.study.model))
    found: dict[tuple[str, str], Gathered] = {}
    for experiment in asked.study.experiment:
        for model in experiment.models or names:
            mine = [
                results
                for group, results in zip(asked.groups, stands.results, strict=True)
                if (group.experiment, group.model) == (experiment.name, model)
            ]
            left = {
                each.variant: each.reason
                for each in asked.left_out
                if (each.experiment, each.model) == (experiment.name, model)
            }
            found[experiment.name, model] = Gathered(repeats=tuple(mine), left_out=left, going=stands.state in _GOING)
    return found


def _measured_on(results: Sequence[Result]) -> str:
    """The board and the backend, of the first result that says both."""
    for result in results:
        board, backend = result.board, result.backend
        if backend.name and (board.name or board.cpu):
            how = [f"{backend.name} {backend.version}", f"{backend.threads} threads" if backend.threads else ""]
            return ", ".join(filter(None, [board.name, board.cpu, board.power_mode or "", *how]))
    return ""
