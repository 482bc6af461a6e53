"""Plans that do not fit into memory together: one after the other, in rounds, with the baseline again and again.

Beside `paired.py`, whose blocks in turns nothing that lasts longer can fake. Here it can: so what the baseline differs by
from one of its sessions to the next widens every ratio.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import permutations

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from ..backends.base import Session
from ..schema.figures import Correction, Ratio
from ..schema.settings import Preset
from ..schema.workloads import Workload
from ..system.reporter import Reporter
from .issuer import Camera, Mixture
from .latency import Rule, Side, rule_of, summarise, take_block, warm_up
from .paired import Array, Measured, correction_of, side_of, within
from .rounds_again import RoundsAgain, Watched
from .statistics import as_ratio, relative_width, serial_half_width, t_quantile
from .throttling import UNTOLD

ROUNDS = 3
"""In each every plan is loaded once, the baseline first; and the baseline once more at the end: four sessions of it."""


def measure_apart(
    load: Callable[[str], AbstractContextManager[Session]],
    names: Sequence[str],
    feeds: Mapping[str, Array],
    workload: Workload,
    preset: Preset,
    seed: int,
    say: Reporter,
    camera_of: Callable[[Session], Camera | None] = lambda _: None,
    board: Watched | None = None,
    mixture: Mixture | None = None,
) -> Measured:
    """Latency of plans of which one at a time is loaded, by the names of their variants, the baseline first.

    A ratio's interval is that of both sides' means, and of the scatter of the baseline's sessions, which is taken for every
    other's: with four sessions of it the quantile is that of Student's t with 3 degrees of freedom.

    Raises:
        DataRefused: `feeds` do not fit.
    """
    rule = rule_of(preset, say, workload.least_s)
    draw = np.random.default_rng(seed)
    kept: dict[str, Side] = {}
    sides: list[Side] = []
    watched = RoundsAgain(board or Watched(), say, sides)
    sessions: dict[str, list[float]] = {name: [] for name in names}
    devices: dict[str, float | None] = {}
    order = [name for _ in range(ROUNDS) for name in (names[0], *(names[1 + n] for n in draw.permutation(len(names) - 1)))]
    for number, name in enumerate([*order, names[0]]):
        say.progress(number, len(order) + 1, f"plans, one at a time: {name}")
        with load(name) as session:
            side = side_of(name, session, feeds, workload, seed, camera_of(session), mixture)
            if number < len(names) and session.remark:
                say.warn(session.remark)
            warm_up(side, rule)
            _take(side, rule)
            devices[name] = session.device_ms()
        sessions[name].append(float(np.concatenate(side.blocks).mean()))
        kept[name] = _joined(kept.get(name), side)
        mine = kept[name]
        sides[:] = kept.values()
        watched.look()
        say.reading(name, sessions[name][-1] / 1e6, float(mine.samples_ms().mean()), mine.relative_half_width(), mine.n)
    watched.close("plans that are measured one after the other are not measured again for that")
    told = {name: side.issuer.told() for name, side in kept.items()}
    correction = correction_of(len(names))
    between = statistics.stdev(map(math.log, sessions[names[0]]))
    ratios = {
        (of, to): _ratio(kept[of], kept[to], sessions[of], sessions[to], between, correction)
        for of, to in permutations(names, 2)
    }
    _say_how_well(ratios, rule, say)
    latencies, missing = {}, {}
    for name, side in kept.items():
        latency, missing[name] = summarise(side, rule, capped=False)
        missed, throttled = told[name].figures.missed, watched.throttled(side)
        latencies[name] = structs.replace(latency, missed_deadlines=missed, throttled=throttled)
        if throttled is None:
            missing[name]["throttled"] = UNTOLD
    fields = told[names[0]].compared
    why = "the plans do not fit into memory together, and were measured one after the other"
    return Measured(
        sides=kept,
        latencies=latencies,
        missing=missing,
        ratios=ratios,
        beside={field: dict.fromkeys(ratios, Ratio()) for field in fields},
        unknown={field: dict.fromkeys(ratios, why) for field in fields},
        told=told,
        correction=correction,
        device_ms=devices,
    )


def _take(side: Side, rule: Rule) -> None:
    """A session's share of the time and the samples that are wanted; two blocks at least."""
    while side.windows_s < rule.measured_s / ROUNDS or side.n < rule.samples / ROUNDS or len(side.blocks) < 2:
        take_block(side, rule)


def _joined(before: Side | None, side: Side) -> Side:
    """All blocks of a variant; those of a session that is closed time nothing any more."""
    if before is None:
        return side
    for times, began in zip(side.blocks, side.began_ns, strict=True):
        before.add(times, began, side.windows_s / len(side.blocks))
    side.issuer.after(before.issuer)
    before.issuer = side.issuer
    return before


def _ratio(
    of: Side, to: Side, of_sessions: Sequence[float], to_sessions: Sequence[float], between: float, correction: Correction
) -> Ratio:
    value = statistics.fmean(map(math.log, of_sessions)) - statistics.fmean(map(math.log, to_sessions))
    t = t_quantile(0.5 + correction.confidence / 2, ROUNDS)
    repeated = t * between * math.sqrt(1 / len(of_sessions) + 1 / len(to_sessions))
    within = [_relative(side.means_ms(), correction.confidence) for side in (of, to)]
    half = math.hypot(repeated, *within)
    ratio, low, high = as_ratio(value, half)
    return Ratio(value=ratio, low=low, high=high)


def _relative(means: NDArray[np.float64], confidence: float) -> float:
    return (serial_half_width(means, confidence) or math.inf) / float(means.mean())


def _say_how_well(ratios: Mapping[tuple[str, str], Ratio], rule: Rule, say: Reporter) -> None:
    widths = [relative_width(each.value, each.low, each.high) for each in ratios.values() if each.value is not None]
    known = [width for width in widths if width is not None]
    if known and max(known) > rule.half_width:
        say.warn(f"the widest ratio is known to {within(max(known), rule.half_width)} of ±{100 * rule.half_width:.0f} % wanted")
