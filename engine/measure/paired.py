"""Plans in turns: heat, clock drift and whatever is periodic hit all alike and cannot fake a win.

Apart from `latency.py`, which knows one side, and `turns.py`, which knows no plans.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from ..advice.words import told_apart
from ..backends.base import Session
from ..errors import BackendRefused, Fix
from ..schema.figures import Correction, Latency, Ratio
from ..schema.settings import Preset
from ..schema.workloads import Workload
from ..system.reporter import Reporter
from .issuer import ByItself, Camera, Findings, Issuer, Means, Mixture, by_blocks, issuer_of
from .latency import (
    MOST_SAMPLES,
    Rule,
    Side,
    rule_of,
    stays_awake_s,
    summarise,
    take_block,
    wait_for_threads_to_sleep,
    warm_up,
)
from .level_shift import level_shift
from .reloads import Reloads
from .rounds_again import RoundsAgain, Watched
from .statistics import comparisons, corrected
from .throttling import UNTOLD
from .turns import half_width, in_turns, independent, share_decided

Array = NDArray[np.generic]
_SAYS_LITTLE = 10.0
"""Half width of a ratio, as a share of it, past which its digits tell nobody anything."""


@dataclass(frozen=True)
class Measured:
    """What was measured of every variant, with every single sample."""

    sides: Mapping[str, Side]
    """By the names of the variants, in the order given."""
    latencies: Mapping[str, Latency]
    missing: Mapping[str, Mapping[str, str]]
    """By variant and field of `Latency`, why a figure is missing."""
    ratios: Mapping[tuple[str, str], Ratio]
    """By two variants, the first over the second."""
    beside: Mapping[str, Mapping[tuple[str, str], Ratio]]
    """What the workload compares beside latency, by its field of `Difference`."""
    unknown: Mapping[str, Mapping[tuple[str, str], str]]
    """Why one of those is not known."""
    told: Mapping[str, Findings]
    """What the workload tells of each variant."""
    correction: Correction
    device_ms: Mapping[str, float | None]
    """The part of an inference on the device, of each variant."""

    def workload_raw(self, **sides: str) -> dict[str, Array]:
        """Every value of what the workload tells of some variants, as `WORD_NAME`."""
        return {f"{word}_{name}": values for word, side in sides.items() for name, values in self.told[side].raw.items()}

    def raw(self, **sides: str) -> dict[str, Array]:
        """Samples of some variants, each under a word of its own: `WORD_ns` (nanoseconds of each inference), `WORD_block`
        (number of its block), `WORD_began_ns` (monotonic start of each block).
        """
        found: dict[str, Array] = {}
        for word, name in sides.items():
            side = self.sides[name]
            found[f"{word}_ns"] = np.concatenate(side.blocks)
            found[f"{word}_block"] = np.repeat(np.arange(len(side.blocks)), [len(block) for block in side.blocks])
            found[f"{word}_began_ns"] = np.array(side.began_ns)
        return found


def measure(
    sessions: MutableMapping[str, Session],
    feeds: Mapping[str, Array],
    workload: Workload,
    preset: Preset,
    seed: int,
    say: Reporter,
    camera: Camera | None = None,
    board: Watched | None = None,
    load: Callable[[str], Session] | None = None,
    mixture: Mixture | None = None,
) -> Measured:
    """Latency of loaded plans, by the names of their variants, on `feeds`, by the preset's rule, in turns of blocks whose order
    is drawn. The cap of time is for two of them and grows with their number.

    camera: where whole frames come from, for workloads that take some.
    board: what tells whether the machine was held back; None: nobody looks.
    load: a plan once more, which takes its place in `sessions` (see `reloads.py`); None: each is loaded once.
    mixture: samples that all plans infer in turn; None: `feeds` each time.

    Raises:
        DataRefused: `feeds` do not fit.
    """
    rule = rule_of(preset, say, workload.least_s * min(2, len(sessions)))
    rule = replace(rule, cap_s=rule.cap_s * max(1.0, len(sessions) / 2))
    sides = [side_of(name, session, feeds, workload, seed, camera, mixture) for name, session in sessions.items()]
    for remark in dict.fromkeys(session.remark for session in sessions.values()):
        if remark:
            say.warn(remark)
    for side in sides:
        say.progress(0, None, f"warming up the {side.name}")
        warm_up(side, rule)
        side.awake_s = stays_awake_s(side.issuer.infer) if len(sides) > 1 and not side.apart else 0.0
    began_s = time.monotonic()
    say.window("", began_s)
    again = RoundsAgain(board or Watched(), say, sides)
    anew = None
    if load is not None and len(sides) > 1 and rule.independent:
        anew = Reloads(sessions, load, lambda session: _issuer(Means(session, feeds, workload, seed, camera, mixture)))
    in_turns(sides, _taken(sides, rule, anew), rule, seed, say, time.perf_counter, again)
    say.window("", began_s, time.monotonic())
    again.close()
    if anew is not None:
        say.note(f"plans were loaded {anew.loads} times anew meanwhile")
    devices = {name: session.device_ms() for name, session in sessions.items()}
    return _measured(sides, rule, again, devices, say)


def _measured(
    sides: Sequence[Side], rule: Rule, again: RoundsAgain, devices: Mapping[str, float | None], say: Reporter
) -> Measured:
    capped = share_decided(sides, rule) < 1
    _say_how_well(sides, rule, capped, say)
    correction = correction_of(len(sides))
    for side in sides:
        side.issuer.beside(sides[0].issuer)
    told = {side.name: side.issuer.told() for side in sides}
    latencies, missing = {}, {}
    for side in sides:
        latency, missing[side.name] = summarise(side, rule, capped=capped)
        missed, throttled = told[side.name].figures.missed, again.throttled(side)
        latencies[side.name] = structs.replace(latency, missed_deadlines=missed, throttled=throttled)
        if throttled is None:
            missing[side.name]["throttled"] = UNTOLD
    beside: dict[str, dict[tuple[str, str], Ratio]] = {field: {} for field in told[sides[0].name].compared}
    unknown: dict[str, dict[tuple[str, str], str]] = {field: {} for field in beside}
    for field in beside:
        for of, to in permutations(told, 2):
            mine, other = told[of].compared[field], told[to].compared[field]
            beside[field][of, to], unknown[field][of, to] = mine.ratio(other.values, mine.values, correction.confidence)
    return Measured(
        sides={side.name: side for side in sides},
        latencies=latencies,
        missing=missing,
        ratios=_ratios({side.name: side.means_ms() for side in sides}, correction),
        beside=beside,
        unknown=unknown,
        told=told,
        correction=correction,
        device_ms=devices,
    )


def _ratios(values: Mapping[str, NDArray[np.float64]], correction: Correction) -> dict[tuple[str, str], Ratio]:
    """Of any two variants, by what blocks that were taken in turns say."""
    found = {}
    for of, to in permutations(values, 2):
        found[of, to], _ = by_blocks(values[to], values[of], correction.confidence)
    return found


def correction_of(variants: int) -> Correction:
    """How the intervals of so many variants' ratios allow for each other."""
    many = comparisons(variants)
    return Correction(variants=variants, comparisons=many, confidence=corrected(many))


def side_of(
    name: str,
    session: Session,
    feeds: Mapping[str, Array],
    workload: Workload,
    seed: int,
    camera: Camera | None,
    mixture: Mixture | None = None,
) -> Side:
    """A loaded plan, ready to be timed."""
    return Side(name, _issuer(Means(session, feeds, workload, seed, camera, mixture)))


def _issuer(means: Means) -> Issuer:
    """A session that executes in processes of its own (`base.Backend.out_of_process`) times itself."""
    blocks = means.session.blocks(means.feeds)
    if blocks is None:
        return issuer_of(means)
    if not means.workload.by_backend:
        raise BackendRefused("trtexec issues inferences flat out only", fix=Fix("run with {}", "workload", "flat-out"))
    return ByItself(means.workload.kind, blocks, means.session.timed(means.feeds))


def _taken(sides: Sequence[Side], rule: Rule, anew: Reloads | None) -> Callable[[Side], None]:
    """How a block is taken: of a plan that was loaded anew, and once the threads of the other plans sleep."""

    def take(side: Side) -> None:
        if anew is not None:
            anew.before_block(side)
        wait_for_threads_to_sleep(side, max((other.awake_s for other in sides if other is not side), default=0.0))
        take_block(side, rule)

    return take


def _say_how_well(sides: Sequence[Side], rule: Rule, capped: bool, say: Reporter) -> None:
    """A warning where what decides is not known as the preset wants, and a note where a mean is known less well than it."""
    known, n = within(half_width(sides), rule.half_width), min(side.n for side in sides)
    what = ("the ratio" if len(sides) == 2 else "the widest ratio") if len(sides) > 1 else f"{sides[0].name}'s mean"
    if capped:
        ended = "time was up" if n < MOST_SAMPLES else "measuring ended"
        wanted = f"{known} of ±{100 * rule.half_width:.0f} % wanted"
        worth = independent(sides)
        alike = worth < rule.independent and not sides[0].apart
        few = (
            f"; its {len(sides[0].blocks)} blocks are worth {int(worth)} independent ones of {rule.independent:.0f} wanted"
            if alike
            else ""
        )
        say.warn(f"{what}: {ended} after {n} inferences with {wanted}{few}")
    _say_shift(sides, say)
    for side in sides:
        width = side.relative_half_width()
        if len(sides) > 1 and width is not None and width > rule.half_width:
            say.note(
                f"{side.name}: its mean is known to {within(width, rule.half_width)} only; the ratio, which decides, to {known}"
            )


def _say_shift(sides: Sequence[Side], say: Reporter) -> None:
    """A warning where the machine changed its pace: the ratio is then of two machines."""
    shift = None if sides[0].apart else level_shift(sides[0].means_ms())
    if shift is None:
        return
    before = sides[0].began_ns[shift.block] - sides[0].began_ns[0]
    halves = [(side.name, side.means_ms()) for side in sides[1:]]
    paces = [(sides[0].name, shift.before, shift.after)]
    paces += [(name, float(np.median(m[: shift.block])), float(np.median(m[shift.block :]))) for name, m in halves]
    told = ", ".join(f"{name} took {first:.3g} and then {then:.3g} ms" for name, first, then in paces)
    say.warn(f"the machine changed its pace after {before / 1e9:.0f} s: {told}; ratios are of both together: measure again")


def within(half_width: float | None, wanted: float) -> str:
    """`±12.3 %`, a half width as a share; one that is wider than `wanted` with as many digits as show that it is."""
    if half_width is None:
        return "no interval"
    if half_width >= _SAYS_LITTLE:
        return f"more than ±{100 * _SAYS_LITTLE:.0f} %"
    return told_apart(_percent, half_width, wanted) if half_width > wanted else _percent(half_width)


def _percent(half_width: float, *, more: int = 0) -> str:
    return f"±{100 * half_width:.{1 + more}f} %"
