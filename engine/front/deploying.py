"""Putting what a run made to use: which files, what speaks against it, and copies that are held against their hashes.

Apart from `finished.py`, which reads what runs left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import structs

from ..advice.compare import compare
from ..advice.goals import parse_goal
from ..advice.reservations import reservations
from ..errors import StorageRefused, from_os_error
from ..schema.deployment import DeployedFile, Deployment
from ..schema.result import Result
from ..system.hashing import sha256_of
from .finished import Finished

if TYPE_CHECKING:
    from ..fleet.far_folder import FarLook, Told
    from ..fleet.places import DeployPlace

CANDIDATE = ("plan", "manifest", "plan_wide", "manifest_wide", "adaptive", "onnx", "onnx_wide")
"""Artifacts that are the candidate, where a run has them: its plan with what built it, and the file that plans are made of."""
Answer = Literal["stop", "go", "replace"]
Seen = Callable[[Deployment], Awaitable[Answer]]
"""Hears what is there before anything is copied, and says whether it shall be, and in place of files that differ."""


class Deploying(Finished):
    """The part of the engine that gives away what runs made."""

    async def deployable(self, run: str, artifacts: Sequence[str] = (), goal: str = "") -> Deployment:
        """The files of a run that are deployed, with what speaks against it for a goal. `artifacts`: these of its artifacts;
        empty: those that are its candidate.

        Raises:
            UsageError: there is no such goal.
            StorageRefused: there is no such run or artifact, it has made nothing, or a file is gone.
        """
        wanted = parse_goal(goal)
        result = await self.result(run)
        paths = _paths(result, artifacts)
        files = await asyncio.to_thread(_hashed, paths)
        found = None
        if result.state == "done":
            beside = [await self._told(each) for each in await self.together(result.run)]
            found = compare([each for each in beside if each.state == "done"], wanted)
        own = not artifacts or set(artifacts) & set(CANDIDATE)
        return Deployment(run=result.run, files=files, notes=tuple(reservations(result, found)) if own else ())

    async def deploy(self, prepared: Deployment, to: str, seen: Seen, told: Told = lambda *_: None) -> Deployment:
        """Copy them to FOLDER or HOST:FOLDER: look there, let `seen` say whether to go on, copy what is not there, `told` how
        far each is. What was begun before goes on where it was. Returns what became of each file.

        Raises:
            UsageError: `to` names no place.
            StorageRefused: it cannot be reached or written to, has no room, has another file of that name, or what arrived is
                not what was sent.
        """
        from ..fleet.far_folder import look, send
        from ..fleet.places import parse_place, remember_place

        place = parse_place(to)
        there = await look(place, prepared.files)
        states = [_state(file, far.sha256) for file, far in zip(prepared.files, there.files, strict=True)]
        files = [structs.replace(file, state=state) for file, state in zip(prepared.files, states, strict=True)]
        notes = (*prepared.notes, *_misfits(prepared, there, place))
        looked = structs.replace(prepared, to=place.text, made_folder=there.new, files=tuple(files), notes=notes)
        answer = await seen(looked)
        if answer == "stop":
            return looked
        if answer == "go":
            _refuse_others(looked)
        for n, (file, far) in enumerate(zip(looked.files, there.files, strict=True)):
            if file.state != "was there":
                await send(place, file, far, told, replace=answer == "replace")
                files[n] = structs.replace(file, state="replaced" if file.state == "differs there" else "copied")
        await asyncio.to_thread(remember_place, self.home, place.text)
        return structs.replace(looked, files=tuple(files))

    async def deploy_places(self) -> tuple[tuple[str, str], ...]:
        """Places to choose from, each with a word about it: those that were used before, then boards of fleet.toml, whose
        folder is to be said.

        Raises:
            ConfigRefused: fleet.toml is not valid.
        """
        from ..fleet.places import fleet_boards, used_places
        from ..fleet.transport import login_of

        used = await asyncio.to_thread(used_places, self.home)
        boards = await asyncio.to_thread(fleet_boards)
        logins = {f"{board.name}:": login_of(board).removeprefix("ssh ") for board in boards if board.host != "localhost"}
        return (*((text, "used before") for text in used), *((text, f"a board, {login}") for text, login in logins.items()))


def _paths(result: Result, artifacts: Sequence[str]) -> list[Path]:
    made = result.artifacts
    for word in artifacts:
        if word not in made:
            has = f"it has {', '.join(made)}" if made else "it has made none"
            raise StorageRefused(f"run {result.run} has no artifact `{word}`", fix=has)
    words = artifacts or [word for word in CANDIDATE if word in made]
    if not words:
        going = result.state in ("running", "queued")
        raise StorageRefused(
            f"run {result.run} has made nothing to deploy{f' yet: it is {result.state}' if going else ''}",
            fix="wait for its stage build" if going else f"`edgetui show {result.run}` says how far it came",
        )
    from ..report.run_export import with_beside

    return with_beside([Path(made[word]) for word in words])


def _hashed(paths: Sequence[Path]) -> tuple[DeployedFile, ...]:
    try:
        return tuple(
            DeployedFile(name=path.name, path=str(path), bytes=path.stat().st_size, sha256=sha256_of([path])) for path in paths
        )
    except FileNotFoundError as error:
        raise StorageRefused(f"{error.filename} is gone", fix="run it again; what the cache has is not made anew") from None
    except OSError as error:
        raise from_os_error(error) from None


def _state(file: DeployedFile, there: str) -> Literal["was there", "to copy", "differs there"]:
    return "was there" if there == file.sha256 else "differs there" if there else "to copy"


def _refuse_others(looked: Deployment) -> None:
    """Raises StorageRefused where a file would be written over that is another."""
    names = [file.name for file in looked.files if file.state == "differs there"]
    if names:
        what = f"{looked.to} has another {' and another '.join(names)}"
        raise StorageRefused(what, fix="add --replace, or name another folder")


def _misfits(prepared: Deployment, there: FarLook, place: DeployPlace) -> tuple[str, ...]:
    from ..fleet.fits_there import misfits

    plans = [Path(file.path) for file in prepared.files if file.name.startswith(("plan", "guard-plan"))]
    return tuple(said for plan in plans if plan.suffix != ".json" for said in misfits(plan, there.facts, place.title))
