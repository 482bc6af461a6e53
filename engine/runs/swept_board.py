"""The board as a sweep asks it: modes set with a note of the first, waits until it is cool, and windows taken by a process of
their own, which may be killed without ending the sweep.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from ..errors import EdgetuiError
from ..schema.events import AnyEvent, ShotTaken
from ..schema.power_mode import PowerMode
from ..schema.sweep import Remarked, SweepRequest
from ..schema.sweep_shot import Shot
from ..system.boards import detect
from ..system.first_mode import FirstMode, put_back, read_note, write_note
from ..system.power_modes import limits, mode_now
from ..system.root_files import Files
from ..telemetry.channel import Notes
from ..telemetry.mode_ways import set_mode
from ..telemetry.sources.thermal import Thermal
from .queries import Question, SweepBuildQuestion, SweepQuestion, SweepTry, ask
from .sweep_folder import SweepDir
from .sweep_plan import COOL_MOST_S, PLAN, plan_key, settings_of, shapes_of

WARMER_C = 2.0
"""Above what the hottest part had at the start."""
LOOK_S = 0.25
STEADY_LOOKS = 4
"""In a row in which no limit of a clock moved."""
CRASHES = 2
"""Of the process that measures, on the same point, after which the point has failed."""


class SweptBoard:
    """See `sweep_rounds.SweptMachine`."""

    def __init__(self, folder: SweepDir, asked: SweepRequest, ending: Callable[[], bool]) -> None:
        self._folder, self._asked, self._ending = folder, asked, ending
        self._files = Files()
        self._thermal = Thermal(self._files, Notes(), hwmon=False)
        self._start_c = self.hottest_c()
        self._jetson = detect(self._files).jetson
        self._warned = False
        self._crashed: dict[int, int] = {}

    def first_mode(self) -> PowerMode | None:
        """The mode that is on, noted before anything is switched.

        Raises:
            OSError: the note cannot be written.
        """
        now = mode_now(self._files)
        if now is not None:
            write_note(self._folder.path, FirstMode(first=now))
        return now

    def set_mode(self, mode: PowerMode) -> str:
        """Note it, and set it; why it has not come, empty: it has."""
        note = read_note(self._folder.path)
        if note is None:
            return "the first mode is not known, so it could not be put back"
        if mode not in note.switched_to:
            write_note(self._folder.path, msgspec.structs.replace(note, switched_to=(*note.switched_to, mode)))
        return set_mode(self._files, mode)

    def back(self) -> str:
        """Set the first mode again; why it is not on, empty: it is."""
        told = put_back(self._files, self._folder.path, set_mode)
        return told.why_not if told is not None else ""

    def settle(self) -> None:
        """Until no limit of a clock moves and the hottest part is back at its start and 2 °C; said where it stays warmer."""
        if not self._jetson:
            return
        end_s, steady, before = time.monotonic() + COOL_MOST_S, 0, limits(self._files)
        while not self._ending():
            hottest = self.hottest_c()
            warm = self._start_c is not None and hottest is not None and hottest > self._start_c + WARMER_C
            if steady >= STEADY_LOOKS and not warm:
                return
            if time.monotonic() > end_s:
                self._say_warm(hottest)
                return
            time.sleep(LOOK_S)
            now = limits(self._files)
            steady, before = (steady + 1 if now == before else 0), now

    def _say_warm(self, hottest: float | None) -> None:
        if not self._warned and hottest is not None and self._start_c is not None:
            text = f"after {COOL_MOST_S:g} s the board was still at {hottest:.0f} °C, of {self._start_c:.0f} °C at the start"
            self._folder.tell(Remarked(text=f"{text}: modes were measured warmer than they were found"))
        self._warned = True

    def hottest_c(self) -> float | None:
        """Of all zones that tell; None: none does."""
        known = [value for value in self._thermal.read(time.monotonic()).values() if value is not None]
        return max(known, default=None)

    def build(self) -> dict[int, str]:
        """Make every plan that is not there; points whose plan cannot be made, and why."""
        failed: dict[str, str] = {}
        found: dict[int, str] = {}
        for number, point in enumerate(self._asked.points):
            if number in self._asked.reasons or self._asked.plan or self._ending():
                continue
            key = plan_key(self._asked, point)
            out = self._folder.path / "plans" / key
            if key not in failed and not out.exists():
                question = SweepBuildQuestion(
                    model=self._asked.path,
                    shapes=shapes_of(self._asked, point),
                    backend=settings_of(self._asked.backend, point),
                    out=str(out),
                )
                try:
                    self._answer(question, lambda _: None)
                except EdgetuiError as error:
                    failed[key] = str(error.refusal.what)
            if key in failed:
                found[number] = failed[key]
        return found

    def _plan(self, number: int) -> str:
        """The file that a point loads."""
        if self._asked.plan:
            return self._asked.path
        folder = self._folder.path / "plans" / plan_key(self._asked, self._asked.points[number])
        return next((str(path) for path in folder.glob(f"{PLAN}.*") if not path.name.endswith((".json", ".data"))), "")

    def measure(self, points: Sequence[int], round: int, tell: Callable[[Shot], None]) -> None:  # noqa: A002
        """A window of each; of a process that is killed the point at which it was fails at the second time."""
        left = list(points)
        while left and not self._ending():
            taken: list[int] = []

            def listen(event: AnyEvent, taken: list[int] = taken) -> None:
                if isinstance(event, ShotTaken):
                    taken.append(event.shot.point)
                    tell(event.shot)

            question = SweepQuestion(
                tries=tuple(self._try(number) for number in left),
                round=round,
                preset=self._asked.preset,
                seed=self._asked.seed,
            )
            why = ""
            try:
                self._answer(question, listen)
            except EdgetuiError as error:
                why = error.refusal.what
            left = [number for number in left if number not in taken]
            if why and left:
                self._crashed[left[0]] = self._crashed.get(left[0], 0) + 1
                if self._crashed[left[0]] >= CRASHES:
                    tell(Shot(point=left.pop(0), round=round, reason=why))

    def _try(self, number: int) -> SweepTry:
        point = self._asked.points[number]
        return SweepTry(
            point=number,
            plan=self._plan(number),
            backend=settings_of(self._asked.backend, point),
            streams=point.streams,
            shapes={} if self._asked.plan else shapes_of(self._asked, point),
        )

    def _answer(self, question: Question, listen: Callable[[AnyEvent], None]) -> None:
        """Have a question answered, unless the end is asked for meanwhile.

        Raises:
            EdgetuiError: what the process said of its failure.
        """

        async def asking() -> None:
            task = asyncio.ensure_future(ask(self._folder.home, question, listen))
            while not task.done():
                await asyncio.wait({task}, timeout=LOOK_S)
                if self._ending() and not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                    return
            task.result()

        asyncio.run(asking())
