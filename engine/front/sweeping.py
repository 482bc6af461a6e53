"""Sweeps: plan one, begin or take it up, follow it, end it, its table and its answer, made from its windows each time.

Apart from `studying.py`, whose parts are runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ..advice.sweep_answer import answer_of, parse_want, rows_of, want_words
from ..errors import BackendRefused, ModelRefused, StorageRefused, UsageError, close_to, few_of
from ..library.models import is_plan, model_hash, open_axes
from ..runs.carrying import begin_driver
from ..runs.queries import SweepCheckQuestion, ask
from ..runs.sweep_driver import MODULE
from ..runs.sweep_folder import SweepDir, create_sweep, find_sweep, same_sweep, sweep_folders
from ..runs.sweep_plan import (
    ROUNDS,
    Dimensions,
    executed_with,
    points_of,
    read_setting,
    refuse_backend,
    refuse_unmeasurable,
    sweep_time,
    threads_up_to,
    unmeasured,
)
from ..schema.failure import Failure
from ..schema.model_facts import ModelFacts
from ..schema.power_mode import PowerMode
from ..schema.ready import ready
from ..schema.settings import BackendSettings
from ..schema.sweep import Doing, SweepListed, SweepPoint, SweepReport, SweepRequest, SweepTime
from ..system import power_modes
from ..system.boards import detect
from ..system.cpu import physical_cores
from ..system.root_files import Files
from ..telemetry.mode_ways import why_not_set
from .studying import Studying
from .sweep_words import SweepWords

LOOK_S = 0.25
DEFAULT_BATCHES = (1, 2, 4)
"""Of a model that has its batch free, where nothing else is named."""
ALL = "all"


class Sweeping(Studying, ABC):
    """The part of the engine that takes one plan over what a board can be set to."""

    async def mode_names(self) -> tuple[str, ...]:
        """Power modes of this board; empty: it has none."""
        return await asyncio.to_thread(lambda: tuple(mode.name for mode in power_modes.known_modes(Files())))

    async def plan_sweep(self, path: Path, name: str, backend: BackendSettings, said: SweepWords) -> SweepRequest:
        """What is asked by a sweep of a model or a plan here; rows that cannot be measured have their reason already.

        Raises:
            UsageError: a mode, a setting or a limit is none that is here, or a figure that no sensor tells is limited.
            ModelRefused: the model cannot be read, or has not the batches that are named.
            BackendRefused: what executes it is not here.
        """
        parse_want(said.want)
        files = Files()
        modes = await asyncio.to_thread(_modes, files, said.modes)
        has_power = await asyncio.to_thread(self._has_power)
        refuse_unmeasurable(said.want, has_power)
        await asyncio.to_thread(refuse_backend, backend)
        plan = is_plan(path)
        facts = None if plan else await self.inspect(path, said.shapes)
        if facts is not None and facts.open_axes:
            raise open_axes(facts)
        batches = _batches(said.batches, facts, path.name)
        threads = said.threads
        usual = not (modes or said.batches or said.streams or said.threads or said.devices or said.settings)
        if usual:
            threads = threads_up_to(min(physical_cores(files), os.cpu_count() or 1)) if backend.name == "onnxruntime" else ()
            batches = DEFAULT_BATCHES if _free(facts) else batches
        wanted = Dimensions(
            modes=modes,
            batches=batches,
            streams=said.streams,
            threads=threads,
            devices=said.devices,
            settings={key: tuple(read_setting(backend, key, value) for value in values) for key, values in said.settings},
        )
        points, cores = points_of(wanted), detect(files).profile.dla_cores
        why = {number: unmeasured(backend, point, plan=plan, dla_cores=cores) for number, point in enumerate(points)}
        why |= await self._not_executed(path, backend, {n: point for n, point in enumerate(points) if not why[n]})
        if all(why.values()):
            fix = "sweep what can be executed here: another model, backend or device"
            raise UsageError(f"nothing of it can be measured: {why[0]}", fix=fix)
        return SweepRequest(
            name=name,
            path=str(path),
            sha256=await asyncio.to_thread(model_hash, path),
            plan=plan,
            shapes=dict(facts.shapes) if facts is not None else {},
            own_batch=_own(facts),
            backend=backend,
            preset=said.preset,
            rounds=said.rounds or ROUNDS[said.preset],
            modes=modes,
            points=points,
            reasons={number: each for number, each in why.items() if each},
            want=said.want,
            has_power=has_power,
        )

    async def _not_executed(self, path: Path, backend: BackendSettings, points: Mapping[int, SweepPoint]) -> dict[int, str]:
        """Of points why nothing here executes them, by their numbers; those that something does are not in it.

        Raises:
            EdgetuiError: nothing executes any of them, each for the same reason.
        """
        settings = {number: executed_with(backend, point) for number, point in points.items()}
        each = tuple(dict.fromkeys(settings.values()))
        answer = await ask(self.home, SweepCheckQuestion(model=str(path), plan=is_plan(path), backends=each), None)
        told = msgspec.json.decode(answer, type=ready(list[Failure | None]))
        failures = dict(zip(each, told, strict=True))
        first = told[0] if told else None
        if first is not None and all(one is not None and one.what == first.what for one in told):
            raise BackendRefused(first.what, fix=first.fixes or first.fix)
        return {number: failure.what for number, one in settings.items() if (failure := failures[one]) is not None}

    async def sweep_time(self, asked: SweepRequest, *, again: bool = False) -> SweepTime:
        """How long what is left of it will take; `again`: all of it."""
        folder = None if again else await asyncio.to_thread(same_sweep, self.home, asked)
        known: dict[int, int] = {}
        for shot in folder.shots() if folder is not None else ():
            known[shot.point] = known.get(shot.point, 0) + 1
        return sweep_time(asked, known)

    async def begin_sweep(self, asked: SweepRequest, *, again: bool = False) -> str:
        """Begin a sweep, or take up what has not ended of the same; returns its id. `again`: anew, whatever was measured.

        Raises:
            StorageRefused: the state folder cannot be written.
        """
        folder = None if again else await asyncio.to_thread(same_sweep, self.home, asked)
        if folder is None:
            folder = await asyncio.to_thread(create_sweep, self.home, asked)
        if folder.state() not in ("done", "running"):
            await asyncio.to_thread(begin_driver, folder, MODULE)
        return folder.id

    async def resume_sweep(self, sweep: str) -> str:
        """Take a sweep up that was cancelled, failed or killed; what was measured stays. Returns its id.

        Raises:
            StorageRefused: there is no such sweep, or it is going or done.
        """
        folder = await asyncio.to_thread(self._sweep_folder, sweep)
        if (state := folder.state()) in ("done", "running"):
            raise StorageRefused(f"sweep {folder.id} is {state}", fix="begin another with `edgetui sweep`")
        await asyncio.to_thread(begin_driver, folder, MODULE)
        return folder.id

    async def end_sweep(self, sweep: str) -> None:
        """Have it end; returns when the first power mode is back and nobody carries it.

        Raises:
            StorageRefused: there is no such sweep, or it is not going.
        """
        folder = await asyncio.to_thread(self._sweep_folder, sweep)
        if not folder.alive():
            raise StorageRefused(f"sweep {folder.id} is not running", fix="`edgetui sweep` lists them")
        folder.ask_to_end()
        while await asyncio.to_thread(folder.alive):
            await asyncio.sleep(LOOK_S)

    async def sweeps(self) -> tuple[SweepListed, ...]:
        """All of them, the newest first."""
        return await asyncio.to_thread(lambda: tuple(_listed(self.home)))

    async def known_sweep(self, text: str) -> str:
        """The id of the sweep that a text means; empty: none.

        Raises:
            StorageRefused: several have it in their ids.
        """
        folder = await asyncio.to_thread(find_sweep, self.home, text)
        return "" if folder is None else folder.id

    async def sweep_report(self, sweep: str, want: str | None = None) -> SweepReport:
        """The table as far as it is, and the answer. `want`: another wish than what was asked; None: that.

        Raises:
            StorageRefused: there is no such sweep, or it cannot be read.
        """
        folder = await asyncio.to_thread(self._sweep_folder, sweep)
        return await asyncio.to_thread(_report, folder, want)

    async def sweep_doing(self, sweep: str) -> Doing | None:
        """What it does now; None: nothing any more."""
        folder = await asyncio.to_thread(self._sweep_folder, sweep)
        return await asyncio.to_thread(_doing, folder)

    def _sweep_folder(self, sweep: str) -> SweepDir:
        folder = find_sweep(self.home, sweep)
        if folder is None:
            raise StorageRefused(f"there is no sweep `{sweep}` here", fix="`edgetui sweep` lists them")
        return folder


def _doing(folder: SweepDir) -> Doing | None:
    return folder.doing() or Doing(text="begins") if folder.alive() else None


def _report(folder: SweepDir, want: str | None) -> SweepReport:
    asked = folder.asked()
    if want is not None:
        refuse_unmeasurable(want, asked.has_power)
        asked = msgspec.structs.replace(asked, want=want)
    shots, first, ended = folder.shots(), folder.first_mode(), folder.ending()
    state = folder.state()
    rows = rows_of(asked, shots, folder.modes(), going=state == "running")
    without = any(row.fps is not None for row in rows) and all(row.energy_j_per_inference is None for row in rows)
    no_joules = next((shot.why_no_power for shot in shots if shot.why_no_power), "") if without else ""
    answer = answer_of(rows, asked.want, no_joules)
    left = first is not None and not first.back and state != "running"
    return SweepReport(
        sweep=folder.id,
        state=state,
        model=asked.path,
        board=detect().name,
        want=want_words(parse_want(asked.want)),
        rows=rows,
        answer=None if answer.place is None else rows[answer.place],
        why=answer.why if ended is None or not ended.reason else f"{ended.reason}; so far: {answer.why}",
        no_joules=no_joules,
        first_mode=first.mode if first is not None else "",
        mode_left=(first.reason or "whoever switched it was killed") if first is not None and left else "",
        rounds=asked.rounds,
        doing=_doing(folder),
        notes=folder.remarks(),
    )


def _listed(home: Path) -> Sequence[SweepListed]:
    found = []
    for folder in sweep_folders(home):
        with contextlib.suppress(StorageRefused):
            asked = folder.asked()
            found.append(
                SweepListed(
                    sweep=folder.id,
                    model=asked.path,
                    state=folder.state(),
                    rows=len(asked.points),
                    want=asked.want,
                    wall=asked.wall,
                )
            )
    return found


def _modes(files: Files, said: str) -> tuple[PowerMode, ...]:
    """The modes that are named; all of a board where nothing is said, and none where it has none.

    Raises:
        UsageError: there is no such mode, or this user may not set any.
    """
    known = power_modes.known_modes(files)
    if said == "none" or (not said and not known):
        return ()
    if not known:
        raise UsageError("this board has no power modes", fix="leave --modes out")
    if said in ("", ALL):
        chosen = known
    else:
        by_name = {mode.name.lower(): mode for mode in known} | {str(mode.id): mode for mode in known}
        chosen = ()
        for word in filter(None, (each.strip() for each in said.split(","))):
            if word.lower() not in by_name:
                names = [mode.name for mode in known]
                meant = f"did you mean `{near}`? " if (near := close_to(word, names)) else ""
                raise UsageError(f"this board has no power mode `{word}`", fix=f"{meant}it has {few_of(names)}")
            chosen = (*chosen, *({by_name[word.lower()]} - set(chosen)))
    if why := why_not_set(files, chosen[0]):
        raise UsageError(
            f"{why}, and a sweep over modes has to",
            fix="add --modes none, or let this user set them: `edgetui doctor` prints the line for sudoers; or run jtop's",
        )
    if power_modes.mode_now(files) is None:
        raise UsageError("nvpmodel does not say which power mode is on, so it could not be put back", fix="add --modes none")
    return chosen


def _free(facts: ModelFacts | None) -> bool:
    """Whether every input of a model takes any number of samples at once."""
    if facts is None or not facts.inputs:
        return False
    return all(tensor.shape and not isinstance(tensor.shape[0], int) for tensor in facts.inputs)


def _own(facts: ModelFacts | None) -> int | None:
    shape = next(iter(facts.shapes.values()), ()) if facts is not None else ()
    return shape[0] if shape else None


def _batches(said: tuple[int, ...], facts: ModelFacts | None, name: str) -> tuple[int, ...]:
    """The batches that are named, each once.

    Raises:
        ModelRefused: the model or plan has another.
    """
    said = tuple(dict.fromkeys(said))
    if not said or _free(facts):
        return said
    own = _own(facts)
    if facts is not None and said == (own,):
        return ()
    if facts is None:
        raise ModelRefused(f"{name} is a plan, which has one batch", fix="leave --batch out, or sweep the model")
    has = f"has a batch of {own}" if own is not None else "has no batch"
    raise ModelRefused(f"{name} {has} and no other", fix="leave --batch out, or export it with the batch as a dynamic axis")
