"""Energy of plans: windows of their own in turns, long enough for the sensor, between two looks at the idle board.

Blocks of latency are too short for a sensor of 2 to 20 Hz. Apart from `paired.py`, whose loop a sensor must not disturb.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from ..schema.settings import Preset
from ..system.reporter import Reporter
from ..telemetry.energy import Readings
from .energy_figures import Found, Idle, Issue, Turn, Variant, found_in, ratio_half
from .power_meter import POLL_S, Meter, NoEnergy
from .throttling import ThrottleWatch

LEAST_UPDATES = 10
"""Of the sensor in a window, without which there is no figure."""
LEAST_WINDOW_S = 2.0
LEAST_ROUNDS = 5
FEWEST_ROUNDS = 3
"""Of which there is a figure where time ran out or the sensor went away; its interval says how little they tell."""
IDLE_PARTS = 4
"""Of each look at the idle board: what they scatter by is what idle power is not known to."""
TRIES = 3
"""For a window in which the sensor stalled."""
MOST_AGAIN = 5
"""Rounds that are measured again because the machine was held back."""
COOLING_S = 2.0
"""Without work, before such a round is measured again."""


@dataclass(frozen=True)
class EnergyRule:
    """When a preset has seen enough."""

    half_width: float
    """Half width of the 95 % interval of the ratio, as a share of it."""
    cap_s: float
    window_s: float = LEAST_WINDOW_S
    rounds: int = LEAST_ROUNDS


RULES: dict[Preset, EnergyRule] = {
    "quick": EnergyRule(half_width=0.10, cap_s=90.0),
    "normal": EnergyRule(half_width=0.05, cap_s=300.0),
    "precise": EnergyRule(half_width=0.01, cap_s=900.0),
}


def rule_of(preset: Preset) -> EnergyRule:
    """When a preset has seen enough; EDGETUI_MEASURE_S shortens windows as it shortens blocks (see `latency.rule_of`).

    The cap is for a sensor of 2 Hz, whose windows must be 10 s long all the same.
    """
    wanted = os.environ.get("EDGETUI_MEASURE_S", "")
    if not re.fullmatch(r"\d+(\.\d+)?", wanted) or not (seconds := float(wanted)):
        return RULES[preset]
    return EnergyRule(half_width=5.0, cap_s=120 * seconds, window_s=seconds, rounds=2)


def measure_energy(
    readings: Readings,
    loaded: Callable[[], AbstractContextManager[Sequence[tuple[str, Issue]]]],
    rule: EnergyRule,
    seed: int,
    say: Reporter,
    watch: ThrottleWatch | None = None,
) -> Found:
    """Joules an inference or a frame of the plans that `loaded` holds while it is entered, by the names of their variants, the
    baseline first. The cap of time is for two of them and grows with their number.

    The protocol is DESIGN's: idle with every plan unloaded, windows of each variant in random balanced turns, each of at least
    20 updates of the sensor and 2 s, idle again. `watch` says in which windows the machine was held back; None: by the alerts
    that ship.

    Raises:
        NoEnergy: there is no figure, with the reason.
    """
    meter = Meter(readings, watch or ThrottleWatch())
    meter.wait_for_power()
    say.progress(0, None, "idle power, no plan loaded")
    warnings: list[str] = []
    idle = _idle(meter, rule)
    began = time.monotonic()
    with loaded() as plans:
        variants = [Variant(name, issue) for name, issue in plans]
        rule = replace(rule, cap_s=rule.cap_s * max(1.0, len(variants) / 2))
        try:
            _rounds(meter, variants, idle, rule, seed, say)
        except NoEnergy as why:
            if min(len(variant.windows) for variant in variants) < FEWEST_ROUNDS:
                raise
            warnings.append(f"energy: {why}; what was measured until then counts")
    rounds = min(len(variant.windows) for variant in variants)
    if rounds < min(FEWEST_ROUNDS, rule.rounds):
        raise NoEnergy(
            f"time was up after {rounds} rounds; {FEWEST_ROUNDS} are needed (a sensor of {1 / meter.update_s():.2g} Hz)"
        )
    for variant in variants:
        del variant.windows[rounds:]
    warnings += _said_of_throttling(meter, variants)
    say.progress(time.monotonic() - began, None, "idle power again, no plan loaded")
    try:
        after = _idle(meter, rule)
    except NoEnergy as why:
        warnings.append(f"energy: {why}; idle power is from before the windows alone")
        after = []
    if after and (doubt := _stuck(meter, idle, after)):
        warnings.append(f"energy: {doubt} before the windows; idle power is from after them alone")
        idle = []
    idle = [*idle, *after]
    if meter.averaged_s >= 1:
        warnings.append(
            f"energy: each reading of the power sensor is a mean over {meter.averaged_s:g} s; windows are longer for it"
        )
    warnings += [f"energy: {said}" for said in [meter.passed_over()] if said]
    return found_in(variants, Idle(*map(np.array, zip(*idle, strict=True))), meter, warnings)


def _idle(meter: Meter, rule: EnergyRule) -> list[tuple[float, float]]:
    """(time, watts) of each part of a look at the idle board; another look where the sensor stalled.

    Raises:
        NoEnergy: it stalled each time, or fell silent.
    """
    why, since_s = "", time.monotonic()
    for _ in range(TRIES):
        begin_s = time.monotonic()
        found = look_at_idle(meter, rule.window_s)
        why = meter.stall(begin_s, time.monotonic())
        if not why:
            return found
    if meter.changes(since_s, time.monotonic()):  # an idle board on a coarse rail is told as one value
        return found
    raise NoEnergy(f"{why} while the board was idle")


def _stuck(meter: Meter, before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]) -> str:
    """Why the first look, which had no past to tell a stall by, is not to be believed; empty: it agrees with the last."""
    lowest, highest = min(watts for _, watts in after), max(watts for _, watts in after)
    if all(lowest <= watts <= highest for _, watts in before):
        return ""
    return meter.stall(before[0][0], before[-1][0])


def look_at_idle(meter: Meter, window_s: float) -> list[tuple[float, float]]:
    """(time, watts) of each part of one look at the board with no plan loaded, in a window of at least so long.

    Raises:
        NoEnergy: the sensor fell silent.
    """
    meter.sleep(meter.settling_s())
    part_s = meter.window_s(window_s) / IDLE_PARTS
    found = []
    for _ in range(IDLE_PARTS):
        begin_s = time.monotonic()
        meter.sleep(part_s)
        end_s = time.monotonic()
        meter.until(end_s)
        watts = [mw / 1000 for _, mw in meter.past.points(begin_s, end_s)]
        if watts:
            found.append(((begin_s + end_s) / 2, statistics.fmean(watts)))
    if len(found) <= IDLE_PARTS // 2:  # a line and what it scatters by need three
        raise NoEnergy(f"the power sensor said nothing while the board was idle{meter.why_silent()}")
    return found


def _rounds(
    meter: Meter,
    variants: list[Variant],
    idle: Sequence[tuple[float, float]],
    rule: EnergyRule,
    seed: int,
    say: Reporter,
) -> None:
    """Fill windows until the ratio is decided or time is up. `idle`: times and watts of the look before."""
    idle_w = statistics.fmean(watts for _, watts in idle)
    draw = np.random.default_rng(seed)
    began = time.monotonic()
    orders: list[list[int]] = []
    taken = again = 0
    while True:
        if not orders:  # over each two rounds every variant comes as often early as late
            order = draw.permutation(len(variants)).tolist()
            orders = [order, order[::-1]]
        for number in orders.pop():
            variants[number].windows.append(_turn(meter, variants[number], rule, say))
        meter.refuse_frozen(idle[0][0])
        _drop_short(meter, variants)
        taken, elapsed = taken + 1, time.monotonic() - began
        fits = elapsed + rule.rounds * (elapsed / taken + COOLING_S) < rule.cap_s
        if again < MOST_AGAIN and fits and (why := _drop_held_back(meter, variants)):
            again += 1
            say.note(f"energy: {why}; the round is measured again")
            meter.sleep(COOLING_S)
        rounds, elapsed = len(variants[0].windows), time.monotonic() - began
        half = ratio_half(variants, idle_w)
        done = rounds >= rule.rounds and (half is None or half <= rule.half_width)
        each_s = elapsed / max(rounds, 1)
        wanted = rule.rounds if half is None else max(rule.rounds, rounds * (half / rule.half_width) ** 2)
        say.progress(elapsed, max(min(rule.cap_s, each_s * wanted), elapsed), f"s of energy windows, round {rounds}")
        over = elapsed > rule.cap_s or (rounds >= FEWEST_ROUNDS and elapsed + each_s > rule.cap_s)
        if done or over:
            return


def _drop_held_back(meter: Meter, variants: Sequence[Variant]) -> str:
    """Take rounds out in which the machine was held back; why it was, empty: it was not."""
    every = [[meter.watch.why(w.begin_s, w.end_s) for w in variant.windows] for variant in variants]
    held = [next(filter(None, reasons), "") for reasons in zip(*every, strict=True)]
    for variant in variants:
        variant.windows = [window for window, why in zip(variant.windows, held, strict=True) if not why]
    return next(filter(None, held), "")


def _said_of_throttling(meter: Meter, variants: Sequence[Variant]) -> list[str]:
    """A warning where windows count in which the machine was held back."""
    held = [why for variant in variants for w in variant.windows if (why := meter.watch.why(w.begin_s, w.end_s))]
    many = sum(len(variant.windows) for variant in variants)
    again = "they were measured again, and were no better"
    return [f"energy: {held[0]} in {len(held)} of {many} windows, which count: {again}"] if held else []


def _drop_short(meter: Meter, variants: Sequence[Variant]) -> None:
    """The first rounds again, where they have shown that the sensor is too slow for them."""
    least_s = LEAST_UPDATES * meter.update_s()
    kept = [
        n
        for n in range(len(variants[0].windows))
        if all(v.windows[n].end_s - v.windows[n].begin_s >= least_s for v in variants)
    ]
    for variant in variants:
        variant.windows = [variant.windows[n] for n in kept]


def _turn(meter: Meter, variant: Variant, rule: EnergyRule, say: Reporter) -> Turn:
    """One window; measured again where the sensor stalled meanwhile.

    Raises:
        NoEnergy: it stalled each time, or fell silent.
    """
    why, steady = "", None
    for _ in range(TRIES):
        issue = variant.issue()
        loaded_s = time.monotonic()
        _infer_for(issue, meter.settling_s(), meter)
        begin_s = time.monotonic()
        say.window(variant.name, begin_s)
        count = _infer_for(issue, meter.window_s(rule.window_s), meter)
        end_s = time.monotonic()
        say.window(variant.name, begin_s, end_s)
        figure = meter.figure(begin_s, end_s)
        why = figure.reason or meter.stall(begin_s, end_s)
        turn = Turn(begin_s, end_s, count, figure)
        if not why:
            return turn
        if not figure.reason and meter.changes(loaded_s, end_s):
            steady = turn
    if steady is not None:  # it followed the load, and then said one value: a coarse step under a steady load
        return steady
    raise NoEnergy(f"{why}, {TRIES} times in a row")


def _infer_for(issue: Iterator[int], seconds: float, meter: Meter) -> int:
    """Work for so long; returns how many inferences or frames that was."""
    end_s = time.monotonic() + seconds
    poll_s = time.monotonic() + POLL_S
    count = 0
    while (now_s := time.monotonic()) < end_s or not count:
        count += next(issue)
        if now_s > poll_s:
            meter.poll()
            poll_s = now_s + POLL_S
    return count
