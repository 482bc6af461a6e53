"""Baseline and candidate in turn: heat, clock drift and whatever is periodic hit both sides alike and cannot fake a win.

Apart from `latency.py`, which knows one side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..errors import BackendRefused
from ..result import Latency, Ratio
from ..say import Say
from ..spec import FlatOut, Preset, Workload
from .latency import MOST_SAMPLES, RULES, Rule, Side, enough, settle, share_done, stays_awake_s, summarise, take_block, warm_up
from .statistics import paired_ratio, welch_ratio

Array = NDArray[np.generic]
OnWindow = Callable[[str], AbstractContextManager[None]]
"""Called with a side's name; the context it returns is entered as a measured block begins and left as it ends."""

_READINGS_EVERY_S = 0.5
_LEAST_PAIRS = 2


@dataclass(frozen=True)
class Paired:
    """What was measured, with every single sample."""

    baseline: Latency
    candidate: Latency | None
    ratio: Ratio
    """Candidate over baseline; empty where there was no candidate."""
    reasons: dict[str, str]
    """Why a figure is missing, by its path in the result, e.g. `baseline.latency_ms.p99`."""
    raw: dict[str, Array]
    """For each side `SIDE_ns` (nanoseconds of each inference), `SIDE_block` (number of its block), `SIDE_began_ns`
    (monotonic start of each block); and `candidate_first`, one a pair."""


def measure(
    baseline: Session,
    candidate: Session | None,
    feeds: Mapping[str, Array],
    workload: Workload,
    preset: Preset,
    seed: int,
    say: Say,
    on_window: OnWindow | None = None,
) -> Paired:
    """Latency of one or two loaded plans on `feeds`, by the preset's rule, in pairs of blocks whose order is drawn.

    Raises:
        DataRefused: `feeds` do not fit.
    """
    rule = RULES[preset]
    sides = [_side("baseline", baseline, feeds, workload)]
    if candidate is not None:
        sides.append(_side("candidate", candidate, feeds, workload))
    for remark in dict.fromkeys(getattr(session, "remark", "") for session in (baseline, candidate)):
        if remark:
            say.warn(remark)
    for side in sides:
        say.progress(0, None, f"warming up the {side.name}")
        warm_up(side, rule)
        side.awake_s = stays_awake_s(side.infer) if len(sides) > 1 and side.by_itself is None else 0.0
    first = _take_pairs(sides, rule, seed, say, on_window or _no_window)
    return _result(sides, rule, first, say)


def _side(name: str, session: Session, feeds: Mapping[str, Array], workload: Workload) -> Side:
    """A session that executes in processes of its own (`base.Backend.outside`) times itself."""
    blocks = getattr(session, "blocks", None)
    if blocks is None:
        return Side(name, session.timed(feeds), workload)
    if not isinstance(workload, FlatOut):
        raise BackendRefused("trtexec issues inferences flat out only", fix="run with --workload flat-out")
    return Side(name, session.timed(feeds), workload, blocks(feeds))


def apart(baseline: Paired, candidate: Paired) -> Ratio:
    """The ratio of two plans that did not fit into memory together and were measured one after the other."""
    value, low, high = welch_ratio(_block_means_ms(baseline.raw, "baseline"), _block_means_ms(candidate.raw, "baseline"))
    return Ratio(value=value, low=low, high=high, interleaved=False)


def _take_pairs(sides: list[Side], rule: Rule, seed: int, say: Say, on_window: OnWindow) -> list[bool]:
    """Blocks in turn until both sides have enough or time is up; whether the candidate came first, for each pair."""
    draw = np.random.default_rng(seed)
    reversed_next: list[bool] = []
    first: list[bool] = []
    began = time.perf_counter()
    said = 0.0
    while True:
        if not reversed_next:  # of each four pairs two begin with the candidate
            reversed_next = draw.permutation([False, False, True, True]).tolist()
        first.append(reversed_next.pop() and len(sides) == 2)
        for side in sides[::-1] if first[-1] else sides:
            settle(side, max((other.awake_s for other in sides if other is not side), default=0.0))
            with on_window(side.name):
                take_block(side)
        elapsed = time.perf_counter() - began
        over = elapsed > rule.cap_s and len(first) >= _LEAST_PAIRS
        done = over or all(enough(side, rule) for side in sides)
        if done or elapsed - said > _READINGS_EVERY_S:
            said = elapsed
            _tell(sides, rule, elapsed, say)
        if done:
            return first


def _tell(sides: list[Side], rule: Rule, elapsed_s: float, say: Say) -> None:
    for side in sides:
        means = side.means_ms()
        say.reading(side.name, float(means[-1]), float(means.mean()), side.relative_half_width(), side.n)
    share = min(share_done(side, rule) for side in sides)
    total_s = min(elapsed_s / share if share else rule.cap_s, max(rule.cap_s, elapsed_s))
    say.progress(elapsed_s, total_s, "s of measuring")


def _result(sides: list[Side], rule: Rule, first: list[bool], say: Say) -> Paired:
    raw: dict[str, Array] = {"candidate_first": np.array(first)}
    reasons: dict[str, str] = {}
    figures: list[Latency] = []
    for side in sides:
        latency, missing = summarise(side, rule)
        figures.append(latency)
        reasons.update({f"{side.name}.latency_ms.{field}": why for field, why in missing.items()})
        raw[f"{side.name}_ns"] = np.concatenate(side.blocks)
        raw[f"{side.name}_block"] = np.repeat(np.arange(len(side.blocks)), [len(block) for block in side.blocks])
        raw[f"{side.name}_began_ns"] = np.array(side.began_ns)
        if latency.capped:
            width = side.relative_half_width()
            reached = "no interval" if width is None else f"±{100 * width:.1f} %"
            ended = "time was up" if side.n < MOST_SAMPLES else "measuring ended"
            wanted = f"{reached} of ±{100 * rule.half_width:.0f} % wanted"
            say.warn(f"{side.name}: {ended} after {side.n} inferences with {wanted}")
    ratio = Ratio()
    if len(sides) == 2:
        value, low, high = paired_ratio(sides[0].means_ms(), sides[1].means_ms())
        ratio = Ratio(value=value, low=low, high=high, interleaved=True)
    return Paired(figures[0], figures[1] if len(sides) == 2 else None, ratio, reasons, raw)


def _block_means_ms(raw: Mapping[str, Array], side: str) -> NDArray[np.float64]:
    blocks, times = raw[f"{side}_block"].astype(np.int64), raw[f"{side}_ns"].astype(np.float64)
    means: NDArray[np.float64] = np.bincount(blocks, times) / np.bincount(blocks) / 1e6
    return means


def _no_window(_side: str) -> AbstractContextManager[None]:
    return nullcontext()
