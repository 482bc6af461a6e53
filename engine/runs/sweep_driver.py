"""One light process a sweep: switches modes, has windows measured, and puts the first mode back whatever happens.

`python -m edgetui.engine.runs.sweep_driver HOME ID`, detached from any terminal. A killed one leaves a note of the first mode
(`system/first_mode.py`); whoever takes the sweep up again, begins another or asks `edgetui doctor` puts it back.
SIGTERM, or a file `cancel` in the sweep's folder, ends it; what was measured stays.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..advice.words import waits
from ..errors import EdgetuiError, from_os_error
from ..schema.power_mode import PowerMode
from ..schema.result import State
from ..schema.sweep import Doing, FirstModeTold, ModeTold, Remarked, ShotTold, SweepEnded, SweepRequest
from ..schema.sweep_shot import Shot
from ..system.first_mode import put_back, put_back_all
from ..system.root_files import Files
from ..telemetry.mode_ways import set_mode
from . import queries
from .board_queue import Device, draw_ticket, enter
from .carrying import Carrier, drive_detached
from .sweep_folder import SweepDir
from .sweep_plan import left_s
from .sweep_rounds import Rounds
from .swept_board import SweptBoard

MODULE = "runs.sweep_driver"


class SweepDriver:
    """Takes a sweep through its rounds."""

    def __init__(self, folder: SweepDir) -> None:
        self.folder, self.home = folder, folder.home
        self._carrier = Carrier(folder)
        self._ending = self._carrier.to_end

    def drive(self) -> None:
        """To the last round, or until it is asked to end.

        Raises:
            StorageRefused: another process drives it.
        """
        with self._carrier.holding(f"`edgetui sweep {self.folder.id}` follows it"), self._board() as ours:
            if ours:
                self._carry()
            else:
                self.folder.tell(SweepEnded(state="cancelled"))

    @contextmanager
    def _board(self) -> Iterator[bool]:
        """The board to ourselves, in the order of submission; false: the end was asked for before."""
        ticket = draw_ticket(self.home)
        enter(self.home, ticket, self.folder.id)
        device = Device(self.home, ticket, self.folder.id)
        try:
            yield device.acquire(lambda queued: self.folder.tell(Doing(text=f"waiting: {waits(queued)}")), self._ending)
        finally:
            device.release()

    def _carry(self) -> None:
        state: State = "failed"
        reason = ""
        try:
            self._put_back_others()
            self._measure(self.folder.asked())
            state = "cancelled" if self._ending() else "done"
        except EdgetuiError as error:
            reason = str(error)
        except OSError as error:
            reason = str(from_os_error(error))
        except Exception as error:
            traceback.print_exc()
            reason = (
                f"a defect of edgetui ({type(error).__name__}: {error}); its traceback is in {self.folder.path / 'log.txt'}"
            )
        finally:
            with suppress(OSError):
                self.folder.tell(SweepEnded(state=state, reason=reason))

    def _put_back_others(self) -> None:
        """The mode that was on before a killed sweep, this one too: what is on now would else be taken for the first."""
        for each in [put_back(Files(), self.folder.path, set_mode), *put_back_all(Files(), self.folder.path.parent, set_mode)]:
            if each is not None and each.why_not:
                was = f"the power mode {each.first.name}, which was on before sweep {each.folder.name}"
                self.folder.tell(Remarked(text=f"{was}, is not back: {each.why_not}"))

    def _measure(self, asked: SweepRequest) -> None:
        board = SweptBoard(self.folder, asked, self._ending)
        self.folder.tell(Doing(text="building", left_s=left_s(asked, self.folder.shots(), {})))
        for point, reason in board.build().items():
            self.folder.tell(ShotTold(shot=Shot(point=point, reason=reason)))
        queries.end_server()
        first = board.first_mode() if asked.modes else None
        if first is not None:
            self.folder.tell(FirstModeTold(mode=first.name))
        rounds = Rounds(asked, board, self.folder.shots())

        def block(round_: int, mode: PowerMode | None, many: int) -> None:
            where = f"{mode.name}, " if mode else ""
            text = f"{where}{many} row{'' if many == 1 else 's'}"
            now = mode.name if mode is not None else ""
            more = rounds.wanted(round_) if round_ >= asked.rounds else None
            left = left_s(asked, rounds.shots, rounds.modes, more, built=True)
            self.folder.tell(Doing(text=text, round=round_ + 1, left_s=left, mode=now, hottest_c=board.hottest_c()))

        try:
            rounds.go(
                lambda shot: self.folder.tell(ShotTold(shot=shot)),
                lambda mode, why: self.folder.tell(ModeTold(mode=mode, reason=why)),
                block,
                self._ending,
            )
        finally:
            if first is not None:
                why = board.back()
                self.folder.tell(FirstModeTold(mode=first.name, back=not why, reason=why))


def main() -> int:
    """Drive the sweep named on the command line."""
    folder = SweepDir(Path(sys.argv[1]) / "sweeps" / sys.argv[2])
    return drive_detached(folder, SweepDriver(folder).drive)


if __name__ == "__main__":
    sys.exit(main())
