"""Searches: how long one takes, begin it or take it up, follow it, end it, its answer.

Apart from `studying.py`, whose runs are known before it begins: here each follows from what those before it said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from msgspec import structs

from ..advice.forecast import refuse_without_packages, refuse_without_samples
from ..advice.goals import parse_goal
from ..advice.measurable import refuse_unmeasurable_goal
from ..errors import DataRefused, Fix, RecipeRefused, StorageRefused, UsageError
from ..library.models import model_hash
from ..runs.carrying import begin_driver
from ..runs.index import Index
from ..runs.input_hashes import data_hashes
from ..runs.search_folder import DRIVER, SearchDir, create_search, find_search, same_search, search_folders
from ..runs.study_time import study_time
from ..runs.sweep_plan import typed_settings
from ..schema.search import Over, SearchDocument, SearchLine, SearchRequest
from ..schema.settings import BackendSettings, Preset
from ..schema.spec import RunSpec
from ..schema.steps import PruneChannels, QuantizeInt8
from ..schema.study import StudyGroup
from ..schema.study_table import StudyTime
from .studying import Studying

USUAL: dict[Over, tuple[int, int]] = {"formats": (5, 6), "settings": (11, 24), "channels": (11, 24)}
"""Measurements and checks of a search that ends well."""
MOST_BUILDS = 1000
MOST_CHECKS = 16
"""Of a search for formats."""
CHECKS_A_BUILD = 2
"""Of the others, at most."""
LEAST_BUILDS = {"formats": 3, "settings": 9, "channels": 9}
"""All units in integers, half of them, and the answer once more; settings that ship, and the best of them once more; one share
for all and what moves outputs least, the best of them once more, and one share for all beside it."""


class Searching(Studying):
    """The part of the engine that searches."""

    async def plan_search(
        self,
        spec: RunSpec,
        goal: str,
        builds: int,
        seconds: float | None = None,
        over: Over = "formats",
    ) -> SearchRequest:
        """What is asked by a search here; refused where it can be known that nothing will come of it.

        Raises:
            UsageError: the goal is none or contradicts itself, something of it cannot be measured here, or the budget is too
                small for one answer.
            RecipeRefused: the recipe does not put units into integers.
            DataRefused: there is nothing to check accuracy on.
            ModelRefused: the model cannot be read.
        """
        refuse_unsearchable(spec, goal, builds, over)
        has_power = await asyncio.to_thread(self._has_power)
        refuse_unmeasurable_goal(parse_goal(goal), spec, has_power=has_power)
        if over != "formats" and find_spec("optuna") is None:
            what = "settings" if over == "settings" else "shares"
            raise UsageError(f"{what} are proposed by Optuna, which is not installed", fix="pip install 'edgetui[search]'")
        refuse_without_packages(spec)
        hashes = await asyncio.to_thread(data_hashes, spec)
        sha = await asyncio.to_thread(model_hash, Path(spec.model))
        asked = SearchRequest(
            goal=goal, spec=spec, over=over, builds=builds, seconds=seconds, model_sha256=sha, data_hashes=tuple(hashes)
        )
        if seconds is not None:
            one_s = (await asyncio.to_thread(self._time_of, asked, ("quick",), 0, has_power)).about_s
            if seconds < one_s:
                raise UsageError(
                    f"{seconds:g} s are too few for an answer: a single candidate takes about {one_s:.0f} s",
                    fix="allow several times as much; `--dry-run` says how long it usually takes",
                )
        return asked

    def _time_of(self, asked: SearchRequest, presets: Sequence[Preset], checks: int, has_power: bool) -> StudyTime:
        """Of candidates that are measured so, and of so many checks."""
        specs = [structs.replace(asked.spec, preset=preset) for preset in presets]
        specs += [structs.replace(asked.spec, measure=False, half="A")] * checks
        groups = [
            StudyGroup(
                experiment=f"{n}", model="", variants=("mix",), specs=(_another(spec, n),), model_sha256=asked.model_sha256
            )
            for n, spec in enumerate(specs)
        ]
        return study_time(groups, Index(self.home).similar_seconds, has_power=has_power)

    async def search_time(self, asked: SearchRequest) -> StudyTime:
        """How long it will take, without what it finds out about single units before; and at most."""
        has_power = await asyncio.to_thread(self._has_power)

        def told(builds: int, checks: int) -> StudyTime:
            quick: list[Preset] = ["quick"] * (builds - 1)
            return self._time_of(asked, (*quick, asked.spec.preset), checks, has_power)

        builds, checks = USUAL[asked.over]
        most_checks = MOST_CHECKS if asked.over == "formats" else CHECKS_A_BUILD * asked.builds + 2
        usual = await asyncio.to_thread(told, min(builds, asked.builds), min(checks, most_checks))
        most = await asyncio.to_thread(told, asked.builds, most_checks)
        return structs.replace(usual, most_s=most.most_s)

    async def begin_search(self, asked: SearchRequest, *, again: bool = False) -> str:
        """Begin a search, or take up the same where it ended; returns its id. One that is going or done is left as it is.

        Raises:
            StorageRefused: the state folder cannot be written.
        """
        folder = None if again else await asyncio.to_thread(same_search, self.home, asked)
        if folder is None:
            asked = structs.replace(asked, learnt=not again)
            folder = await asyncio.to_thread(create_search, self.home, asked)
        if await asyncio.to_thread(folder.state) not in ("done", "running"):
            await asyncio.to_thread(begin_driver, folder, DRIVER)
        return folder.id

    async def resume_search(self, search: str) -> SearchRequest:
        """Take up a search that was ended, killed or failed; what it has found stays. Returns what was asked of it.

        Raises:
            StorageRefused: there is no such search, or it is going or done.
        """
        folder = self._search_folder(search)
        if (state := await asyncio.to_thread(folder.state)) in ("done", "running"):
            raise StorageRefused(f"search {search} is {state}", fix="begin another with `edgetui search`")
        await asyncio.to_thread(begin_driver, folder, DRIVER)
        return await asyncio.to_thread(folder.asked)

    async def known_search(self, text: str) -> str:
        """The id of the search that a text means; empty: none.

        Raises:
            StorageRefused: several have it in their ids.
        """
        folder = await asyncio.to_thread(find_search, self.home, text)
        return "" if folder is None else folder.id

    def backend_with(self, backend: BackendSettings, settings: Mapping[str, str]) -> BackendSettings:
        """Settings of a backend with what a search has found of it (`SearchChoice.settings`).

        Raises:
            UsageError: the backend has no such setting, or no such value.
        """
        return typed_settings(backend, settings)

    async def search_lines(self, search: str) -> Sequence[SearchLine]:
        """What was found by now.

        Raises:
            StorageRefused: there is no such search.
        """
        return await asyncio.to_thread(self._search_folder(search).found)

    async def search_document(self, search: str) -> SearchDocument:
        """Its answer, or how far it is.

        Raises:
            StorageRefused: there is no such search.
        """
        return await asyncio.to_thread(self._search_folder(search).document)

    async def search_alive(self, search: str) -> bool:
        """Whether somebody works for it."""
        return await asyncio.to_thread(self._search_folder(search).alive)

    async def search_run(self, search: str) -> str:
        """The run that it waits for; empty: none."""

        def going() -> str:
            runs = [run for members in self._search_folder(search).runs().values() for run in members.values()]
            return next((run.name for run in runs if run.alive()), "")

        return await asyncio.to_thread(going)

    async def end_search(self, search: str) -> None:
        """End the run that is going, and begin no other; returns when nobody works for it.

        Raises:
            StorageRefused: there is no such search.
        """
        folder = self._search_folder(search)
        with suppress(OSError):
            await asyncio.to_thread(folder.ask_to_end)
        while await asyncio.to_thread(folder.alive):
            await asyncio.sleep(0.1)

    async def searches(self) -> tuple[SearchDocument, ...]:
        """All of them, the newest first."""
        found = []
        for folder in await asyncio.to_thread(search_folders, self.home):
            with suppress(StorageRefused):
                found.append(await asyncio.to_thread(folder.document))
        return tuple(found)

    def _search_folder(self, search: str) -> SearchDir:
        for folder in search_folders(self.home):
            if folder.id == search:
                return folder
        raise StorageRefused(f"there is no search `{search}` here", fix="`edgetui search` lists them")


def refuse_unsearchable(spec: RunSpec, goal: str, builds: int, over: Over) -> None:
    """Refuse what no machine could search.

    Raises:
        UsageError, RecipeRefused, DataRefused: as `Searching.plan_search`.
    """
    parse_goal(goal)
    if over == "channels":
        _refuse_without_channels(spec)
    elif not any(isinstance(step, QuantizeInt8) for step in spec.recipe.active):
        raise RecipeRefused(
            f"the recipe {spec.recipe.name} has no step quantize.int8, and a search chooses the units that it takes",
            fix="leave --recipe out, or name one that has it",
        )
    if spec.dataset is None:
        raise DataRefused("there are no samples to check accuracy on", fix=(Fix("choose some: {}", "dataset"),))
    least = LEAST_BUILDS[over]
    if builds < least:
        said = "1 build is" if builds == 1 else f"{builds} builds are"
        raise UsageError(f"{said} too few for an answer", fix=f"allow {least} at least")
    if builds > MOST_BUILDS:
        raise UsageError(f"{builds} builds are more than any search makes", fix=f"allow {MOST_BUILDS} at most")
    refuse_without_samples(spec)


def _refuse_without_channels(spec: RunSpec) -> None:
    if sum(isinstance(step, PruneChannels) for step in spec.recipe.active) != 1:
        raise RecipeRefused(
            f"the recipe {spec.recipe.name} has not one step prune.channels, and a search chooses the shares that it takes",
            fix="leave --recipe out, or name one that has it",
        )


def _another(spec: RunSpec, number: int) -> RunSpec:
    """The same with a recipe of its own, as each mix has."""
    steps = tuple(
        structs.replace(step, exclude=(*step.exclude, f"#{number}"))
        if isinstance(step, QuantizeInt8)
        else structs.replace(step, keep=(*step.keep, f"#{number}"))
        if isinstance(step, PruneChannels)
        else step
        for step in spec.recipe.step
    )
    return structs.replace(spec, recipe=structs.replace(spec.recipe, step=steps))
