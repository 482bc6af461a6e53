"""Cells of the tables that say several figures at once, or a figure with its interval, its verdict or its reason."""

from __future__ import annotations

from . import words
from .columns import Column
from .payback import COSTS_MORE
from .payback import payback as paid_back
from .words import DASH, dash

OTHERS_FREED = "others freed as much meanwhile"
"""Why the system lost no memory to a plan that surely took some."""
ITSELF = "1"
"""A baseline's ratio to the baseline: no reason to draw a row."""


def mean(column: Column) -> str:
    """`2.44 ms ± 0.02`."""
    latency = column.metrics.latency_ms
    return words.ms(latency.mean, latency.half_width, column.reason("latency_ms") or column.reason("latency_ms.mean"))


def time_ratio(column: Column) -> str:
    """`0.452 [0.447, 0.458] faster`."""
    if not column.candidate:
        return ITSELF
    value = column.result.difference.latency_ratio
    verdict = column.verdict("latency")
    return DASH if value.value is None else f"{words.ratio(value)} {verdict}".rstrip()


def net_joules(column: Column) -> str:
    """`256 µJ ± 67`."""
    energy = column.metrics.energy_j_per_inference
    return words.joules(energy.net, energy.net_half_width)


def gross_joules(column: Column) -> str:
    """`403 mJ ± 2`: what a frame of a paced workload costs at that rate, its wait for the beat included."""
    energy = column.metrics.energy_j_per_inference
    return words.joules(energy.gross, energy.gross_half_width)


def joules_for_images(column: Column) -> str:
    """`54.2 J ± 4.1 of 10 s`, the seconds that it is scaled from."""
    told = column.metrics.energy_j_per_inference.for_images
    if told.joules is None:
        return DASH
    half = None if told.high is None else told.high - told.joules
    return f"{words.joules(told.joules, half)} of {words.seconds(told.measured_s)}"


def energy_ratio(column: Column) -> str:
    """`0.657 [0.555, 0.778] thriftier`."""
    if not column.candidate:
        return ITSELF if column.metrics.energy_j_per_inference.net is not None else DASH
    value = column.result.difference.energy_ratio
    return DASH if value is None or value.value is None else f"{words.ratio(value)} {column.verdict('energy')}".rstrip()


def watts(column: Column) -> str:
    """`8.62 10.4 4.09 W`: mean, peak, idle."""
    power = column.metrics.power_w
    values = (power.mean, power.peak, power.idle)
    if all(value is None for value in values):
        return DASH
    return " ".join(DASH if value is None else words.digits(value) for value in values) + " W"


def percentiles(column: Column) -> str:
    """`2.43 2.49 – (have 480 of 662)`."""
    latency = column.metrics.latency_ms
    return DASH if latency.mean is None else words.percentiles(latency, column.reason("latency_ms.p99"))


def extremes(column: Column) -> str:
    """`2.41 3.02  sd 0.05`."""
    latency = column.metrics.latency_ms
    if latency.min is None or latency.max is None:
        return DASH
    sd = f"  sd {words.digits(latency.sd, 2)}" if latency.sd is not None else ""
    return f"{words.digits(latency.min)} {words.digits(latency.max)}{sd}"


def size(column: Column) -> str:
    """`291 kB (0.258)`: beside it its share of the baseline's."""
    share = column.result.difference.size_ratio if column.candidate else None
    return words.size(column.metrics.size_bytes) + (f" ({words.digits(share)})" if share is not None else "")


def plan_size(column: Column) -> str:
    """What is timed, where the model's file is what is deployed and of another size."""
    figures = column.metrics
    if figures.plan_bytes is None or figures.plan_bytes == figures.size_bytes:
        return DASH
    return words.size(figures.plan_bytes)


def zeros(column: Column) -> str:
    """`30.0 %` of all parameters."""
    total, nonzero = column.metrics.parameters, column.metrics.nonzero
    return words.percent((total - nonzero) / total) if total and nonzero is not None else DASH


def memory(column: Column) -> str:
    """`– · 84 · 61 MB`: the plan's own, the process's peak, what the system lost; where it lost nothing, why."""
    used = column.metrics.memory_mb
    if used.process_peak is None and used.system_drop is None:
        return dash(column.reason("memory_mb"))
    fell = used.system_drop or None
    why = f" ({OTHERS_FREED})" if used.system_drop == 0 or column.reason("memory_mb.system_drop") == OTHERS_FREED else ""
    return f"{words.mb(used.plan)} · {words.mb(used.process_peak)} · {words.mb(fell)} MB{why}"


def start(column: Column) -> str:
    """`11.5 · 3.10 ms`."""
    load, first = column.metrics.load_ms, column.metrics.first_ms
    return DASH if load is None or first is None else f"{words.digits(load)} · {words.digits(first)} ms"


def spent(column: Column) -> str:
    """`2.0 s, 41.2 J`."""
    if not column.candidate:
        return DASH
    found = paid_back(column.result).figures
    joules = "" if found.compress_j is None else f", {words.joules(found.compress_j)}"
    return words.seconds(found.compress_s) + joules


def payback(column: Column) -> str:
    """`1 500 inferences`; `never`, or that it is not shown to: in time."""
    return _inferences(column, "by_time", "latency")


def payback_energy(column: Column) -> str:
    """The same in energy."""
    return _inferences(column, "by_energy", "energy")


def _inferences(column: Column, field: str, metric: str) -> str:
    if not column.candidate:
        return DASH
    found, _, never = paid_back(column.result)
    value = getattr(found, field)
    if value is None:
        return DASH if field not in never else "never" if column.verdict(metric) in COSTS_MORE else "not shown to"
    return f"{words.thousands(value)} inferences"
