"""What the board did while a run worked: telemetry.jsonl, a line a second, and every sample of the measuring stage in traces/.

A line is `{"t": run seconds, "stage": ..., FIGURE: [least, mean, largest], ...}`. Nothing here may stop a run: where the
sampler cannot start or the disk is full, there are no lines.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from pathlib import Path

import msgspec

from ..errors import EdgetuiError
from ..telemetry.client import Telemetry, open_telemetry
from ..telemetry.energy import LEAST_DISTINCT, EnergyFigure, believed_mw
from ..telemetry.energy import energy as integral
from ..telemetry.quantities import series
from ..telemetry.sample import Sample, encode

RATE_HZ = 2.0
LINE_S = 1.0


_LOOKED_AT = 1 << 16
"""Bytes of telemetry.jsonl that say what the sensors of a run tell: some ten lines; a day of a run takes many megabytes."""


def recorded(folder: Path) -> frozenset[str]:
    """What a run's telemetry holds that a metric may want: `power`."""
    with contextlib.suppress(OSError), (folder / "telemetry.jsonl").open("rb") as file:
        for line in file.read(_LOOKED_AT).splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                if any(name == "total_mw" or name.startswith("rails_mw.") for name in msgspec.json.decode(line, type=dict)):
                    return frozenset({"power"})
    return frozenset()


class RunTelemetry:
    """Reads the shared sampler; call `tick` a few times a second."""

    def __init__(self, home: Path, folder: Path, shift_s: float) -> None:
        """`shift_s` added to monotonic seconds gives the run's own."""
        self._folder, self._shift_s = folder, shift_s
        self._seen = 0
        self._second: dict[str, list[float]] = {}
        self._due_s: float | None = None
        self._times, self._watts = array("d"), array("d")
        """Readings since the stage began: a stage may take a day, which as pairs were 39 MB."""
        self._source: Telemetry | None = None
        with contextlib.suppress(EdgetuiError, OSError):
            self._source = open_telemetry(home, "auto", RATE_HZ)
            self._seen = self._source.newest_number()

    def tick(self, stage: str, traced: bool) -> None:
        """Take new samples in; `traced` ones are kept whole as well."""
        if self._source is None:
            return
        for number, sample in self._source.since(self._seen):
            self._seen = number
            if traced:
                self._append(self._folder / "traces" / f"{stage}.jsonl", encode(sample))
            self._take(sample, stage)
            if (milliwatts := believed_mw(sample)) is not None:
                self._times.append(sample.t_s)
                self._watts.append(milliwatts / 1000)

    def energy(self, begin_s: float, end_s: float) -> EnergyFigure:
        """What the board took from one monotonic second to another; the readings before the end are not kept."""
        told, figure = bool(self._watts), integral(list(zip(self._times, self._watts, strict=True)), begin_s, end_s)
        del self._times[:-1], self._watts[:-1]
        if told and figure.samples < LEAST_DISTINCT:
            had = f"{figure.samples} readings of power; {LEAST_DISTINCT} are needed"
            return EnergyFigure(reason=f"it was over after {end_s - begin_s:.2g} s, with {had}")
        return figure if told else EnergyFigure(reason="no sensor told the power meanwhile")

    def _take(self, sample: Sample, stage: str) -> None:
        if self._due_s is None:
            self._due_s = sample.t_s + LINE_S
        elif sample.t_s >= self._due_s:
            self._flush(stage)
            self._due_s = max(self._due_s + LINE_S, sample.t_s)
        for name, value in series(sample):
            self._second.setdefault(name, []).append(value)

    def _flush(self, stage: str) -> None:
        assert self._due_s is not None
        line: dict[str, object] = {"t": round(self._due_s + self._shift_s, 2), "stage": stage}
        for name, values in self._second.items():
            mean = sum(values) / len(values)
            line[name] = [round(min(values), 3), round(mean, 3), round(max(values), 3)]
        self._second = {}
        self._append(self._folder / "telemetry.jsonl", msgspec.json.encode(line))

    def _append(self, path: Path, data: bytes) -> None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(fd, data + b"\n")
            finally:
                os.close(fd)

    def close(self) -> None:
        """Give the sampler back."""
        if self._source is not None:
            self._source.close()
