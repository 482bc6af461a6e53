"""Cells of what workloads tell beside latencies.

Apart from `cells.py`, whose figures every run has.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UnsetType

from ..schema.figures import Difference, Ratio
from ..schema.workload_figures import RateSpread
from . import words
from .cells import ITSELF
from .columns import Column
from .words import DASH


def ratio_cell(verdict: str, ratio: Callable[[Difference], Ratio | UnsetType]) -> Callable[[Column], str]:
    """`0.921 [0.914, 0.930] faster`: a ratio of the candidate and the word that its `verdict` has for it."""

    def cell(column: Column) -> str:
        if not column.candidate:
            return ITSELF
        value = ratio(column.result.difference)
        return f"{words.ratio(value)} {column.verdict(verdict)}".rstrip() if value and value.value is not None else DASH

    return cell


def throughput(column: Column) -> str:
    """`412 ± 3 with 4 streams`."""
    told = column.metrics.workload.throughput
    if not told or told.images_per_s is None:
        return DASH
    text = words.digits(told.images_per_s)
    half = "" if told.half_width is None else f" ± {words.half_text(text, told.half_width)}"
    return f"{text}{half} with {told.streams} streams"


def streams(column: Column) -> str:
    """`1: 301, 3.32; 2: 402, 4.98 knee; 4: 412, 9.7`: images a second and latency with each number of streams."""
    workload = column.metrics.workload
    if not workload.streams or not workload.throughput:
        return DASH
    knee = workload.throughput.knee
    return "; ".join(
        f"{each.streams}: {words.digits(each.images_per_s)}, {words.digits(each.latency_ms)}"
        + (" knee" if each.streams == knee else "")
        for each in workload.streams
        if each.images_per_s is not None and each.latency_ms is not None
    )


def frame(column: Column) -> str:
    """`12.4 ms ± 0.3`."""
    times = column.metrics.workload.frame_ms
    return words.ms(times.mean, times.half_width) if times else DASH


def parts(column: Column) -> str:
    """`decode 1.21 resize 0.84 copy 0.0102 inference 2.1 postprocess 0.11`."""
    each = column.metrics.workload.parts_ms
    return " ".join(f"{name} {words.digits(value)}" for name, value in each.items()) if each else DASH


def missed(column: Column) -> str:
    """`3 of 900, 2 in a row, 33 % after a miss`."""
    latency, misses = column.metrics.latency_ms, column.metrics.workload.misses
    if latency.missed_deadlines is None:
        return DASH
    count = f"{latency.missed_deadlines} of {latency.n}"
    if not latency.missed_deadlines or not misses:
        return count
    count += f" ({misses.woke_late} woke late)" if misses.woke_late else ""
    again = "" if misses.after_miss is None else f", {words.percent(misses.after_miss)} after a miss"
    return f"{count}, {misses.longest_run} in a row{again}"


def roc(column: Column) -> str:
    """`0.981 [0.972, 0.987]`: area under the ROC curve of a threshold on the frame rate."""
    told = column.metrics.workload
    if not told.roc or isinstance(told.roc_auc, UnsetType) or told.roc.low is None or told.roc.high is None:
        return DASH
    return f"{told.roc_auc:.3f} [{told.roc.low:.3f}, {told.roc.high:.3f}]"


def filtered(column: Column) -> str:
    """`99 %, 1.2 % up to 84.1 /s`: frames that pass a threshold chosen on other cycles."""
    told = column.metrics.workload.roc
    if not told or told.threshold_fps is None or told.real_passed is None or told.interference_passed is None:
        return DASH
    shares = f"{words.percent(told.real_passed)}, {words.percent(told.interference_passed)}"
    return f"{shares} up to {words.digits(told.threshold_fps)} /s"


def real_rates(column: Column) -> str:
    """`61.2, box 58.0 to 63.9, sd 4.1`: median, quartiles, standard deviation."""
    rates = column.metrics.workload.rates
    return _rates(rates.real) if rates else DASH


def interference_rates(column: Column) -> str:
    """The same of frames that skip the model."""
    rates = column.metrics.workload.rates
    return _rates(rates.interference) if rates else DASH


def _rates(told: RateSpread) -> str:
    if told.median is None or told.q1 is None or told.q3 is None:
        return DASH
    sd = "" if told.sd is None else f", sd {words.digits(told.sd, 2)}"
    return f"{words.digits(told.median)}, box {words.digits(told.q1)} to {words.digits(told.q3)}{sd}"


def late_frames(column: Column) -> str:
    """`3 of 900`: those that waited for the frames before them, so that a cycle took longer than its second."""
    told = column.metrics.workload
    return DASH if isinstance(told.late, UnsetType) or not told.frames else f"{told.late} of {told.frames.n}"


def tracking(column: Column) -> str:
    """`8.52 s [8.21, 8.83], 3 of 1024 never`."""
    told = column.metrics.workload.tracking_s
    if not told or told.never is None:
        return DASH
    never = f"{told.never} of {told.runs} never"
    if told.mean is None:
        return never
    within = "" if told.low is None or told.high is None else f" [{words.digits(told.low)}, {words.digits(told.high)}]"
    return f"{words.digits(told.mean)} s{within}, {never}"


def per_input(column: Column) -> str:
    """`2.43 ms, box 2.40 to 2.51, 20 samples`: median and quartiles of the samples' means."""
    told = column.metrics.per_input
    if not told or told.median_ms is None or told.q1_ms is None or told.q3_ms is None:
        return DASH
    return f"{words.ms(told.median_ms)}, box {words.digits(told.q1_ms)} to {words.digits(told.q3_ms)}, {told.n} samples"


def input_spread(column: Column) -> str:
    """`2.31 to 3.02 ms, sd 0.12, p 0.002`; `no spread shown` where samples that take equally long would spread as much."""
    told = column.metrics.per_input
    if not told or told.min_ms is None or told.max_ms is None or told.sd_ms is None:
        return DASH
    shown = ""
    if told.p is not None:
        shown = f", {words.p_value(told.p)}" if told.p < 0.05 else f", no spread shown ({words.p_value(told.p)})"
    return f"{words.digits(told.min_ms)} to {words.digits(told.max_ms)} ms, sd {words.digits(told.sd_ms, 2)}{shown}"
