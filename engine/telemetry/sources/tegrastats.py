"""tegrastats as a source: for boards whose files we may not read, or do not know."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable

from ...system.boards import Board, Total, detect, total_by_rails, total_of, total_rules
from ...system.root_files import Files
from ..channel import Notes
from ..sample import Sample, wall_now
from ..tegrastats_line import TegrastatsLine, parse
from .lines import KeptLines
from .source import NotedSource, SourceRefused

_LEAST_INTERVAL_S, _FIRST_LINE_S = 0.1, 3.0


class Tegrastats(NotedSource):
    """Samples as tegrastats prints them; a sample has the time at which its line was found, a few ms after its arrival.

    Raises:
        SourceRefused: there is no such command, or it prints nothing that can be read.
    """

    name = "tegrastats"
    pushed = True

    def __init__(self, files: Files, rate_hz: float = 2.0, board: Board | None = None) -> None:
        command = shutil.which("tegrastats")
        if command is None:
            raise SourceRefused("the command tegrastats is not on PATH")
        board = board or detect(files)
        self._rules = total_rules(board)
        self._notes = Notes()
        self._command, self._interval_s = command, _interval_s(rate_hz)
        self._child = self._start()
        first = self._child.first(_FIRST_LINE_S)
        if first is None:
            self.close()
            raise SourceRefused("tegrastats printed nothing that can be read")
        self._first: TegrastatsLine | None = parse(first)

    def set_rate(self, rate_hz: float) -> None:
        """Start tegrastats again with another interval; not below 100 ms, which it cannot keep."""
        interval_s = _interval_s(rate_hz)
        if interval_s != self._interval_s:
            self._interval_s = interval_s
            self._child.close()
            with contextlib.suppress(SourceRefused):
                self._child = self._start()

    def read(self, now_s: float) -> Sample | None:
        """The newest line since the last call; None: there is none yet."""
        line = self._child.newest()
        newest = parse(line) if line is not None else self._first
        self._first = None
        if newest is None:
            return None
        return sample_of(newest, now_s, wall_now(), self.name, self._rules)

    def close(self) -> None:
        """End tegrastats."""
        self._child.close()

    def _start(self) -> KeptLines:
        command = [self._command, "--interval", str(round(self._interval_s * 1000))]
        try:
            return KeptLines(
                self.name, command, self._notes, terminal=True, interval_s=self._interval_s, wanted=_says_something
            )
        except OSError as error:
            raise SourceRefused(f"tegrastats cannot be started: {error.strerror}") from error


def _says_something(line: str) -> bool:
    """It warns and asks between its lines."""
    return not parse(line).empty


def _interval_s(rate_hz: float) -> float:
    return max(1.0 / rate_hz, _LEAST_INTERVAL_S)


def sample_of(line: TegrastatsLine, t_s: float, wall: str, source: str, rules: Iterable[Total] | None) -> Sample:
    """A telemetry document of a line. `rules` None: no board is known, the rule follows from the rails that are there."""
    rails: dict[str, int | None] = {name: instant for name, (instant, _, _) in line.rails_mw.items()}
    total, scope = total_by_rails(rails) if rules is None else total_of(rules, rails)
    memory = {} if line.emc_freq_mhz is None else {"EMC": line.emc_freq_mhz}
    return Sample(
        t_s=t_s,
        wall=wall,
        source=source,
        rails_mw=rails,
        total_mw=total,
        total_scope=scope,
        gpu_load_pct=line.gpu_load_pct,
        gpu_freq_mhz=line.gpu_freq_mhz,
        cpu_load_pct=line.cpu_load_pct,
        cpu_freq_mhz=line.cpu_freq_mhz,
        emc_load_pct=line.emc_load_pct,
        engine_load_pct={**line.engine_load_pct},
        ram_used_mb=line.ram_used_mb,
        ram_total_mb=line.ram_total_mb,
        swap_used_mb=line.swap_used_mb,
        swap_total_mb=line.swap_total_mb,
        temps_c=line.temps_c,
        clocks_mhz={**memory, **line.clocks_mhz},
    )
