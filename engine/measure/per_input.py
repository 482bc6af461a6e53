"""`--per-input N`: samples that are timed one by one, each until its own interval is narrow (Qin et al., To Compress, or Not to
Compress: until the 95 % bound of each model on each input is under 5 %), and how latency spreads over them.

Apart from `paired.py`, whose loop has one sample: here inputs are gone through again and again in an order that is drawn, so
that heat and drift hit all of them alike and are no spread of theirs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..schema.figures import Ratio
from ..schema.spec import INPUT_CAP_S
from ..schema.workload_figures import PerInput
from ..system.reporter import Reporter
from .issuer import timed_once
from .statistics import as_ratio, incomplete_beta, mean_half_width

Floats = NDArray[np.float64]
Array = NDArray[np.generic]
Feeds = Mapping[str, Array]
Take = Callable[[str, int], float]
"""Times a block of a variant on an input; its mean in ms."""


@dataclass(frozen=True)
class InputRule:
    """When an input is known well enough."""

    half_width: float = 0.05
    """Of the 95 % interval of its mean, as a share of it."""
    block_s: float = 0.1
    passes: int = 8
    """Least blocks of each variant on each input."""
    cap_s: float = INPUT_CAP_S
    """Longest time for an input, all variants together; what is left undecided then is counted."""


def rule_here() -> InputRule:
    """EDGETUI_MEASURE_S shortens blocks as it does elsewhere (`latency.rule_of`)."""
    wanted = os.environ.get("EDGETUI_MEASURE_S", "")
    if not re.fullmatch(r"\d+(\.\d+)?", wanted) or not (seconds := float(wanted)):
        return InputRule()
    return InputRule(half_width=5.0, block_s=seconds / 10, passes=3, cap_s=4 * seconds)


@dataclass(frozen=True)
class InputsFound:
    """Of every variant."""

    figures: dict[str, PerInput]
    ratios: dict[tuple[str, str], Ratio]
    """By two variants, the first over the second: over inputs, each counting once."""
    reasons: dict[str, dict[str, str]]
    """By variant and field, why a figure is missing."""
    raw: dict[str, dict[str, Array]]
    """By variant: means and half widths of each input, in ms; means of all blocks, input after input, and how many each has."""


def measure_inputs(
    sessions: Mapping[str, Session],
    feeds: Sequence[Feeds],
    rule: InputRule,
    seed: int,
    say: Reporter,
    confidence: float = 0.95,
) -> InputsFound:
    """Time every session on every one of `feeds`. confidence: of the ratios' intervals.

    Raises:
        DataRefused: they do not fit.
    """

    def take(name: str, number: int) -> float:
        infer = sessions[name].timed(feeds[number])
        once = timed_once(infer) / 1e9
        many = max(1, round(rule.block_s / max(once, 1e-9)))
        return float(np.mean([timed_once(infer) for _ in range(many)])) / 1e6

    blocks = in_passes(tuple(sessions), len(feeds), take, rule, seed, say, time.perf_counter)
    return figures_of(blocks, rule, confidence)


def in_passes(
    names: Sequence[str], inputs: int, take: Take, rule: InputRule, seed: int, say: Reporter, clock: Callable[[], float]
) -> dict[str, list[list[float]]]:
    """Pass after pass over all inputs that are not yet known, each with a block of every variant, in an order that is drawn:
    milliseconds of every block, by variant and input.
    """
    draw = np.random.default_rng(seed)
    blocks: dict[str, list[list[float]]] = {name: [[] for _ in range(inputs)] for name in names}
    left, began = list(range(inputs)), clock()
    done = 0
    while left:
        for number in draw.permutation(left).tolist():
            for place in draw.permutation(len(names)).tolist():
                blocks[names[place]][number].append(take(names[place], number))
        done += 1
        elapsed = clock() - began
        left = [
            number for number in left if done < 2 or (elapsed < rule.cap_s * inputs and not _known(blocks, number, rule, done))
        ]
        say.progress(inputs - len(left), inputs, f"inputs timed, pass {done}")
    return blocks


def _known(blocks: Mapping[str, list[list[float]]], number: int, rule: InputRule, done: int) -> bool:
    return done >= rule.passes and all(_width(each[number]) <= rule.half_width for each in blocks.values())


def _width(values: Sequence[float]) -> float:
    """Half width of the interval of the mean as a share of it; blocks of one input are far apart in time."""
    half = mean_half_width(np.array(values))
    return np.inf if half is None else half / float(np.mean(values))


def figures_of(blocks: Mapping[str, list[list[float]]], rule: InputRule, confidence: float = 0.95) -> InputsFound:
    """Of all blocks of all variants."""
    figures, reasons, raw, means = {}, {}, {}, {}
    for name, each in blocks.items():
        means[name] = np.array([np.mean(values) for values in each])
        reached = sum(_width(values) <= rule.half_width for values in each)
        p_value, why = spread_p(each)
        reasons[name] = {"p": why} if p_value is None else {}
        figures[name] = spread_of(means[name], reached, rule.half_width, p_value)
        if figures[name].sd_ms is None:
            reasons[name]["sd_ms"] = "one input has no spread"
        halves = [mean_half_width(np.array(values)) or np.nan for values in each]
        raw[name] = {
            "input_ms": means[name],
            "input_half_ms": np.array(halves),
            "input_block_ms": np.concatenate([np.array(values) for values in each]),
            "input_blocks": np.array([len(values) for values in each]),
        }
    ratios = {(of, to): ratio_over_inputs(means[to], means[of], confidence) for of, to in permutations(blocks, 2)}
    return InputsFound(figures, ratios, reasons, raw)


def spread_of(means_ms: Floats, reached: int, wanted: float, p_value: float | None) -> PerInput:
    """Five numbers over the inputs' means, quartiles by linear interpolation."""
    least, q1, median, q3, most = (float(value) for value in np.percentile(means_ms, [0, 25, 50, 75, 100]))
    sd = float(means_ms.std(ddof=1)) if len(means_ms) > 1 else None
    return PerInput(
        n=len(means_ms),
        reached=reached,
        wanted_half_width=wanted,
        mean_ms=float(means_ms.mean()),
        min_ms=least,
        q1_ms=q1,
        median_ms=median,
        q3_ms=q3,
        max_ms=most,
        iqr_ms=q3 - q1,
        sd_ms=sd,
        p=p_value,
    )


def spread_p(blocks: Sequence[Sequence[float]]) -> tuple[float | None, str]:
    """How likely inputs that take equally long would spread so much, and why it cannot be told.

    Analysis of variance in randomized blocks (Fisher 1935, The Design of Experiments), on logarithms: inputs are the
    treatments, the passes that all of them had the blocks, so that what slowed a whole pass is taken out.
    """
    passes = min(map(len, blocks), default=0)
    if len(blocks) < 2 or passes < 2:
        return None, "needs two inputs and two passes"
    logs = np.log(np.array([list(each[:passes]) for each in blocks]))
    inputs, middle = len(blocks), logs.mean()
    of_inputs, of_passes = logs.mean(axis=1), logs.mean(axis=0)
    between = passes * float(((of_inputs - middle) ** 2).sum()) / (inputs - 1)
    rest = float(((logs - of_inputs[:, None] - of_passes[None, :] + middle) ** 2).sum()) / ((inputs - 1) * (passes - 1))
    if rest <= 0:
        return (1.0 if between <= 0 else 0.0), ""
    one, two = inputs - 1, (inputs - 1) * (passes - 1)
    return incomplete_beta(two / 2, one / 2, two / (two + one * between / rest)), ""


def ratio_over_inputs(baseline_ms: Floats, other_ms: Floats, confidence: float = 0.95) -> Ratio:
    """Geometric mean over inputs of the other over the baseline, with its interval over inputs."""
    logs = np.log(other_ms) - np.log(baseline_ms)
    value, half = float(logs.mean()), mean_half_width(logs, confidence)
    ratio, low, high = as_ratio(value, half)
    return Ratio(value=ratio, low=low, high=high, interleaved=True)
