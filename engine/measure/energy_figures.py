"""Figures of windows of energy: joules an inference, gross and net, and their ratio, each with its 95 % interval.

Apart from `energy_rounds.py`, which says what runs when: here are numbers alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from ..schema.figures import Ratio
from ..telemetry.energy import EnergyFigure
from .power_meter import Meter
from .statistics import as_ratio, comparisons, corrected, mean_half_width, t_quantile

Issue = Callable[[], Iterator[int]]
"""See `issuer.Issuer.issue`."""


@dataclass
class Variant:
    """One plan, how its inferences are issued, and the windows it had."""

    name: str
    issue: Issue
    windows: list[Turn] = field(default_factory=list)


@dataclass(frozen=True)
class Turn:
    """A stretch of time in which one plan alone was inferred."""

    begin_s: float
    """Monotonic, as the sensor's stamps."""
    end_s: float
    inferences: int
    energy: EnergyFigure

    @property
    def middle_s(self) -> float:
        """The time at which idle power is taken off."""
        return (self.begin_s + self.end_s) / 2

    @property
    def gross_j(self) -> float:
        """Joules of an inference."""
        assert self.energy.joules is not None
        return self.energy.joules / self.inferences

    @property
    def seconds_each(self) -> float:
        """Of an inference, with what a paced one waits."""
        return (self.end_s - self.begin_s) / self.inferences


@dataclass(frozen=True)
class Idle:
    """Power of the idle board: a line through the looks before and after, since boards warm up and cool down; the mean of one
    look, for the slope of two seconds says nothing of minutes.
    """

    at_s: NDArray[np.float64]
    watts: NDArray[np.float64]

    def line(self, t_s: float, confidence: float = 0.95) -> tuple[float, float]:
        """Watts at a time and the half width of their interval (ordinary least squares)."""
        if not self._two_looks:
            n, sd = len(self.watts), float(self.watts.std(ddof=1))
            return float(self.watts.mean()), t_quantile(0.5 + confidence / 2, n - 1) * sd / math.sqrt(n)
        n, middle = len(self.at_s), float(self.at_s.mean())
        away = self.at_s - middle
        spread = float((away**2).sum())
        slope = float((away * self.watts).sum()) / spread
        rest = self.watts - self.watts.mean() - slope * away
        sd = math.sqrt(float((rest**2).sum()) / (n - 2))
        half = t_quantile(0.5 + confidence / 2, n - 2) * sd * math.sqrt(1 / n + (t_s - middle) ** 2 / spread)
        return float(self.watts.mean()) + slope * (t_s - middle), half

    @property
    def mean_w(self) -> float:
        """Over both looks."""
        return float(self.watts.mean())

    @property
    def _two_looks(self) -> bool:
        """The windows lie between them."""
        apart = np.diff(self.at_s)
        return bool(apart.max() > 2 * apart.min())

    @property
    def drift_w(self) -> float | None:
        """From the look before to the one after; None: there was one."""
        if not self._two_looks:
            return None
        half = len(self.watts) // 2
        return float(self.watts[half:].mean() - self.watts[:half].mean())


@dataclass(frozen=True)
class Figures:
    """Of one variant; joules an inference, watts."""

    gross: float
    gross_half: float | None
    net: float
    net_half: float | None
    mean_w: float
    peak_w: float
    windows: int
    samples: int
    rate_hz: float | None
    gaps: int
    longest_gap_s: float
    throttled: int | None
    """Windows that count though the machine was held back; None: nothing tells of that."""
    seconds: float
    unseen: float
    """What the sensor's step hides, joules an inference; in both half widths."""


@dataclass(frozen=True)
class EnergyRatio:
    """Two variants beside each other."""

    net: Ratio
    """Of net joules; empty where net energy drowns in idle's noise."""
    gross: Ratio
    reason: str = ""
    """Why there is no net ratio."""


@dataclass(frozen=True)
class Found:
    """Everything that was measured."""

    figures: dict[str, Figures]
    ratios: Mapping[tuple[str, str], EnergyRatio]
    """By the names of two variants, the first over the second."""
    idle: Idle
    scope: str
    method: str
    warnings: tuple[str, ...]
    windows: dict[str, NDArray[np.generic]]
    """`idle_s`, `idle_w`, `sample_s`, `sample_w`, `middle_s` of all windows, and of each variant `NAME begin_s` and so on."""

    def raw(self, **variants: str) -> dict[str, NDArray[np.generic]]:
        """What was measured of some variants, each under a word of its own: `WORD_begin_s`, `WORD_end_s`, `WORD_inferences`,
        `WORD_joules`; and what the sensor told.
        """
        found = {name: values for name, values in self.windows.items() if " " not in name}
        for word, variant in variants.items():
            found |= {f"{word}_{part}": self.windows[f"{variant} {part}"] for part in OF_WINDOWS}
        return found


OF_WINDOWS = ("begin_s", "end_s", "inferences", "joules")


def ratio_half(variants: Sequence[Variant], idle_w: float) -> float | None:
    """Half width of the widest interval of a log ratio that decides; None: one variant, or one round."""
    confidence = corrected(comparisons(len(variants)))
    logs = [np.log(joules) for joules in deciding(variants, idle_w)]
    halves = [mean_half_width(other - one, confidence) for one, other in combinations(logs, 2)]
    known = [half for half in halves if half is not None]
    return max(known) if known and len(known) == len(halves) else None


def deciding(variants: Sequence[Variant], idle_w: float) -> list[NDArray[np.float64]]:
    """Joules an inference in each window of each variant: net, above so many watts, gross where that is none."""
    gross = [np.array([w.gross_j for w in variant.windows]) for variant in variants]
    idle = [idle_w * np.array([w.seconds_each for w in variant.windows]) for variant in variants]
    net = [joules - waited for joules, waited in zip(gross, idle, strict=True)]
    return net if all((joules > 0).all() for joules in net) else gross


def found_in(
    variants: Sequence[Variant],
    idle: Idle,
    meter: Meter,
    warnings: Sequence[str],
    confidence: float | None = None,
    middle_s: float | None = None,
) -> Found:
    """All figures of the windows that `variants` had, the baseline's first. confidence: of intervals of ratios; None: it allows
    for how many there are. middle_s: the middle of all windows, where these are some of them.
    """
    figures, nets = {}, {}
    for variant in variants:
        figures[variant.name], nets[variant.name] = _figures(variant, idle, meter)
    confidence = confidence or corrected(comparisons(len(variants)))
    if middle_s is None:
        middle_s = statistics.fmean(w.middle_s for v in variants for w in v.windows)
    half_w = idle.line(middle_s, confidence)[1]
    ratios = {(of.name, to.name): _between(of, to, figures, nets, half_w, confidence) for of, to in permutations(variants, 2)}
    windows = [window for variant in variants for window in variant.windows]
    scope = next((window.energy.scope for window in windows if window.energy.scope), "") or ""
    raw: dict[str, NDArray[np.generic]] = {"idle_s": idle.at_s, "idle_w": idle.watts, "middle_s": np.array([middle_s])}
    for variant in variants:
        columns = (
            [w.begin_s for w in variant.windows],
            [w.end_s for w in variant.windows],
            [w.inferences for w in variant.windows],
            [w.energy.joules for w in variant.windows],
        )
        raw |= {f"{variant.name} {part}": np.array(values) for part, values in zip(OF_WINDOWS, columns, strict=True)}
    raw["sample_s"] = np.array([t_s for t_s, _ in meter.past.points()])
    raw["sample_w"] = np.array([mw / 1000 for _, mw in meter.past.points()])
    return Found(figures, ratios, idle, scope, windows[0].energy.method, tuple(warnings), raw)


def _between(
    of: Variant, to: Variant, figures: Mapping[str, Figures], nets: Mapping[str, list[float]], half_w: float, confidence: float
) -> EnergyRatio:
    """`half_w`: what idle power is not known to."""
    sides = [figures[v.name] for v in (to, of)]
    hidden = math.hypot(*(side.unseen / side.gross for side in sides))
    gross = _ratio([w.gross_j for w in to.windows], [w.gross_j for w in of.windows], hidden, confidence)
    drowned = [v.name for v in (to, of) if min(nets[v.name]) <= 0 or _drowns(figures[v.name])]
    if drowned:
        takes = "take" if len(drowned) > 1 else "takes"
        why = f"what the {' and the '.join(drowned)} {takes} above idle is less than idle power is known to"
        return EnergyRatio(Ratio(), gross, why)
    # idle power that is off by dP moves both logs: by its share of each net
    each = [statistics.fmean(w.seconds_each for w in v.windows) / figures[v.name].net for v in (to, of)]
    hidden = math.hypot(abs(each[0] - each[1]) * half_w, *(side.unseen / side.net for side in sides))
    return EnergyRatio(_ratio(nets[to.name], nets[of.name], hidden, confidence), gross)


def _figures(variant: Variant, idle: Idle, meter: Meter) -> tuple[Figures, list[float]]:
    """Of one variant, and the net joules of each of its windows."""
    windows = variant.windows
    gross = np.array([window.gross_j for window in windows])
    net = np.array([w.gross_j - idle.line(w.middle_s)[0] * w.seconds_each for w in windows])
    at_s = statistics.fmean(window.middle_s for window in windows)
    each_s = statistics.fmean(window.seconds_each for window in windows)
    counted = windows[0].energy.method == "counter"
    unseen = 0.0 if counted else each_s * meter.unseen_w([(w.begin_s, w.end_s) for w in windows])
    gross_half, net_half = mean_half_width(gross), mean_half_width(net)
    watch = meter.watch
    rates = [w.energy.effective_rate_hz for w in windows if w.energy.effective_rate_hz]
    figures = Figures(
        gross=float(gross.mean()),
        gross_half=None if gross_half is None else math.hypot(gross_half, unseen),
        net=float(net.mean()),
        net_half=None if net_half is None else math.hypot(net_half, each_s * idle.line(at_s)[1], unseen),
        unseen=unseen,
        mean_w=statistics.fmean(w.energy.mean_w or 0.0 for w in windows),
        peak_w=max(w.energy.peak_w or 0.0 for w in windows),
        windows=len(windows),
        samples=sum(w.energy.samples for w in windows),
        rate_hz=statistics.fmean(rates) if rates else None,
        gaps=sum(w.energy.gaps for w in windows),
        longest_gap_s=max(w.energy.longest_gap_s for w in windows),
        throttled=sum(bool(watch.why(w.begin_s, w.end_s)) for w in windows) if watch.told else None,
        seconds=sum(w.end_s - w.begin_s for w in windows),
    )
    return figures, net.tolist()


def _drowns(figures: Figures) -> bool:
    return figures.net_half is not None and figures.net <= figures.net_half


def _ratio(base: Sequence[float], other: Sequence[float], hidden: float, confidence: float) -> Ratio:
    """Geometric mean of the rounds' ratios with its interval, widened by what no round can show: idle power, a coarse step."""
    logs = np.log(other) - np.log(base)
    half = mean_half_width(logs, confidence)
    value = float(logs.mean())
    ratio, low, high = as_ratio(value, None if half is None else math.hypot(half, hidden))
    return Ratio(value=ratio, low=low, high=high, interleaved=True)
