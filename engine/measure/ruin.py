"""Whether a candidate's outputs are ruined: noise as strong as what they say, in all of an output or in one kind of its values.

Apart from `fidelity.py`, whose figures are means: a detector's boxes are a thousand times larger than its scores, so an output
of both stays near the baseline's when every score is lost. Sums of float64 that grow by one batch at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graph.output_meaning import Meaning

Array = NDArray[np.generic]
Floats = NDArray[np.float64]

LEAST_DB = 5.0
"""Signal to noise below which nothing is left to trust: a third as much noise as signal. ResNet-20 has 12 dB with weights of 4
bits, 15 with 30 % pruned, 2 with 60 %, where its top-1 falls from 0.81 to 0.52."""
KIN = 30.0
"""Channels whose largest values are within this factor of each other are of one kind. One that is lost among kin that are not
matters to nobody (a class that never came, a dead feature); a kind that is lost with all its channels does. Boxes in pixels and
scores are further apart."""
STRONG, MANY = 0.5, 0.25
"""Channels whose largest value is at least this share of the largest of all are no dead features: this share of them lost is
ruin too (one of two classes)."""
DECIDES = 0.05
"""Scores that all stay below this decide nothing (pictures without objects); so does a slice beside larger ones. Where all
values are small and no scores: a slice below this share of the largest."""
_MOST_CHANNELS = 65_536


class Ruined(NamedTuple):
    """An output, or a slice of it, in which noise drowns what the baseline says."""

    output: str
    slice: str
    """Which of its values, in words; empty: all of them."""
    sqnr_db: float


@dataclass
class _Channels:
    """Sums of each place along one axis."""

    signal: Floats
    noise: Floats
    peak: Floats
    """Largest |value| on either side."""


@dataclass
class _Sums:
    signal: float = 0.0
    noise: float = 0.0
    least: float = 0.0
    peak: float = 0.0
    """Smallest and largest value on either side, 0 included."""
    axes: dict[int, _Channels] = field(default_factory=dict)
    """By axis, counted from the end."""


class Ruin:
    """Add both sides' outputs, then ask for what is `found()`."""

    def __init__(self, meanings: Mapping[str, Meaning] | None = None, *, slices: bool = True) -> None:
        """`meanings`: what the outputs hold, by `graph.meaning`; labels and ranked rows are not compared. `slices`: look at
        channels too, which takes inputs that are real.
        """
        self._meanings = dict(meanings or {})
        self._slices = slices
        self._sums: dict[str, _Sums] = {}

    def add(self, baseline: Mapping[str, Array], candidate: Mapping[str, Array]) -> None:
        """Outputs of one inference, by name. What is no quantity, differs in shape or is not finite is passed over."""
        for name, a in baseline.items():
            b = candidate.get(name)
            meaning = self._meanings.get(name)
            if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.shape != b.shape or not a.size:
                continue
            if a.dtype.kind != "f" or b.dtype.kind != "f" or (meaning is not None and meaning.kind != "quantity"):
                continue
            self._add(self._sums.setdefault(name, _Sums()), a.astype(np.float64), b.astype(np.float64), meaning)

    def _add(self, sums: _Sums, a: Floats, b: Floats, meaning: Meaning | None) -> None:
        kept = np.isfinite(a) & np.isfinite(b)
        a, b = np.where(kept, a, 0.0), np.where(kept, b, 0.0)
        signal, noise, peak = a * a, (a - b) ** 2, np.maximum(np.abs(a), np.abs(b))
        sums.signal += float(signal.sum())
        sums.noise += float(noise.sum())
        sums.least = min(sums.least, float(a.min()), float(b.min()))
        sums.peak = max(sums.peak, float(peak.max()))
        axes = {1 - a.ndim, -1} if self._slices and a.ndim > 1 else set()
        if self._slices and meaning is not None and meaning.parts:
            axes.add(meaning.parts_axis)
        for axis in axes:
            others = tuple(place for place in range(-a.ndim, 0) if place != axis)
            if a.shape[axis] > _MOST_CHANNELS:
                continue
            found = _Channels(signal.sum(axis=others), noise.sum(axis=others), peak.max(axis=others))
            before = sums.axes.get(axis)
            if before is not None and before.signal.shape != found.signal.shape:
                continue
            sums.axes[axis] = found if before is None else _joined(before, found)

    def found(self) -> list[Ruined]:
        """What is ruined, in the model's order; an output that is ruined as a whole is not looked at in slices."""
        ruined: list[Ruined] = []
        for name, sums in self._sums.items():
            if sums.least >= 0 and sums.peak < DECIDES and self._may_be_scores(name):
                continue
            if sums.signal > 0 and _db(sums.signal, sums.noise) < LEAST_DB:
                ruined.append(Ruined(name, "", _db(sums.signal, sums.noise)))
                continue
            decides = DECIDES if self._may_be_scores(name) else DECIDES * min(1.0, sums.peak)
            ruined += self._parts(name, sums) or _kinds(name, sums, decides)
        return ruined

    def _may_be_scores(self, name: str) -> bool:
        meaning = self._meanings.get(name)
        return meaning is None or meaning.share

    def _parts(self, name: str, sums: _Sums) -> list[Ruined]:
        """What the graph itself puts side by side."""
        meaning = self._meanings.get(name)
        channels = sums.axes.get(meaning.parts_axis) if meaning is not None and meaning.parts else None
        if meaning is None or channels is None or sum(part.size for part in meaning.parts) != channels.signal.size:
            return []
        found, start = [], 0
        for part in meaning.parts:
            here = slice(start, start + part.size)
            start += part.size
            lost = _db(float(channels.signal[here].sum()), float(channels.noise[here].sum())) < LEAST_DB
            if lost and not part.labels and channels.peak[here].max() >= DECIDES:
                db = _db(float(channels.signal[here].sum()), float(channels.noise[here].sum()))
                found.append(Ruined(name, f"the part {part.name}", db))
        return found


def _kinds(name: str, sums: _Sums, decides: float) -> list[Ruined]:
    """Channels that are lost with all their kin, or many of the strongest."""
    fewest = min((channels.peak.size for channels in sums.axes.values() if channels.peak.size > 1), default=0)
    for axis, channels in sorted(sums.axes.items()):
        lost = (channels.signal > 0) & (channels.noise * 10 ** (LEAST_DB / 10) > channels.signal)
        alive = np.sort(channels.peak[(channels.signal > 0) & ~lost])
        matters = lost & (channels.peak >= decides)
        if not matters.any() or not alive.size:
            continue
        nearest = np.searchsorted(alive, channels.peak / KIN)
        kin = (nearest < alive.size) & (alive[np.minimum(nearest, alive.size - 1)] <= channels.peak * KIN)
        gone = np.flatnonzero(matters & ~kin)
        if not gone.size and channels.peak.size == fewest:
            strong = channels.peak >= STRONG * channels.peak.max()
            gone = np.flatnonzero(matters & strong)
            gone = gone if gone.size >= MANY * np.count_nonzero(strong) else gone[:0]
        if gone.size:
            db = _db(float(channels.signal[gone].sum()), float(channels.noise[gone].sum()))
            return [Ruined(name, f"{_places(gone)} of axis {axis}", db)]
    return []


def _joined(one: _Channels, other: _Channels) -> _Channels:
    return _Channels(one.signal + other.signal, one.noise + other.noise, np.maximum(one.peak, other.peak))


def _places(found: NDArray[np.intp]) -> str:
    """`place 4`, `places 4 to 21`, `18 places, the first of them 4,`."""
    first, last = int(found[0]), int(found[-1])
    if first == last:
        return f"place {first}"
    return f"places {first} to {last}" if found.size == last - first + 1 else f"{found.size} places, the first of them {first},"


def _db(signal: float, noise: float) -> float:
    """10 log10(signal / noise); no noise: infinite, no signal: minus infinite."""
    if noise <= 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf
