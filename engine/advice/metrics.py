"""All metrics, a row each, in the order in which tables say them. Whoever shows, judges or chooses by a metric reads it here.

A new one is a row, a field of `schema/figures.py`, the function that measures it, and a line in README.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from ..schema.figures import IMAGES, Difference, Ratio
from ..schema.result import Result
from . import cells, escalated, quality_rows, words, workload_rows
from .metric import Aim, Axis, Change, FinalColumn, Labelled, ListColumn, Metric

_ONE_PROCESS = "it cannot be seen where every inference is a process of its own"
_SINGLE = 0.05
"""Peaks of two processes that load the same file differ by this share; memory and energy have one figure a side."""
_SIZE_NAMES = 0.005
"""Names and notes in a file make so little a difference; with three digits it is a ratio of 1.00."""


def _not_told(result: Result) -> str:
    """Of figures that only a GPU has."""
    from ..backends.cards import card_of  # the screen, which reads this table at its start, needs no card for that

    on_cpu = card_of(result.backend.name).on_cpu
    return "everything is computed on the CPU" if on_cpu else f"{result.backend.name} does not say"


def _no_drop(result: Result) -> str:
    """Of what the system lost to a plan: known where the plan's process was seen."""
    seen = result.baseline.memory_mb.process_peak is not None or result.candidate.memory_mb.process_peak is not None
    return cells.OTHERS_FREED if seen else _ONE_PROCESS


def _watts(value: float, *, more: int = 0) -> str:
    return f"{words.digits(value, more=more)} W"


def _megabytes(value: float, *, more: int = 0) -> str:
    return f"{words.mb(value, more=more)} MB"


METRICS: tuple[Metric, ...] = (
    Metric(
        key="latency",
        path="latency_ms.mean",
        label="latency, mean",
        better="less",
        text=words.ms,
        cell=cells.mean,
        change=Change(
            field="latency_ratio",
            below="faster",
            above="slower",
            tests=("latency_ratio_to_guard",),
            said="of the time",
            evident=True,
            deed=("faster", "slower"),
            times=True,
            listed=ListColumn(head="time ratio"),
        ),
        axis=Axis(key="latency_ms", name="latency", unit="ms"),
        column=FinalColumn(head="mean", width=11, rank=0),
        aim=Aim(word="fastest", what="latency", shown="shown to be faster", steps_say=True),
        stage="measure",
        missing=_ONE_PROCESS,
    ),
    Metric(key="latency_ratio", label="ratio to FP32", detail=True, cell=cells.time_ratio, coloured_by="latency"),
    Metric(key="percentiles", label="p50 p90 p99, ms", detail=True, cell=cells.percentiles),
    Metric(
        key="p50",
        path="latency_ms.p50",
        better="less",
        wish="p50_ms",
        column=FinalColumn(head="p50", width=8, rank=4),
        stage="measure",
        missing=_ONE_PROCESS,
    ),
    Metric(
        key="p90",
        path="latency_ms.p90",
        better="less",
        wish="p90_ms",
        column=FinalColumn(head="p90", width=8, rank=6),
        stage="measure",
        missing=_ONE_PROCESS,
    ),
    Metric(
        key="p99",
        path="latency_ms.p99",
        better="less",
        wish="p99_ms",
        column=FinalColumn(head="p99", width=8, rank=3),
        stage="measure",
        missing=_ONE_PROCESS,
    ),
    Metric(key="extremes", label="min max, ms", detail=True, cell=cells.extremes),
    Metric(
        key="device",
        path="device_ms",
        label="on the GPU, without copies",
        detail=True,
        better="less",
        wish="device_ms",
        of_device=True,
        text=words.ms,
        stage="measure",
        missing=_not_told,
    ),
    Metric(
        key="fps",
        path="fps",
        label="frames a second",
        better="more",
        wish="fps",
        one_over="latency",
        column=FinalColumn(head="frames/s", width=10, rank=1),
        stage="measure",
        missing=_ONE_PROCESS,
    ),
    *workload_rows.ROWS,
    Metric(
        key="energy",
        path="energy_j_per_inference.net",
        label="energy, net",
        better="less",
        text=words.joules,
        cell=cells.net_joules,
        change=Change(
            field="energy_ratio",
            below="thriftier",
            above="hungrier",
            said="of the energy",
            evident=True,
            listed=ListColumn(head="energy", narrow=False),
            tests=("energy_ratio_gross", "energy_ratio_to_guard"),
            deed=("less energy an inference", "more energy an inference"),
        ),
        axis=Axis(key="energy_j", name="energy", unit="J"),
        column=FinalColumn(head="J, net", width=10, rank=3),
        aim=Aim(word="least-energy", what="energy", shown="shown to take less energy"),
        sensor="power",
        stage_field="energy_j",
    ),
    Metric(key="energy_ratio", label="ratio to FP32", detail=True, cell=cells.energy_ratio, coloured_by="energy"),
    Metric(key="energy_gross", label="with idle power", detail=True, cell=cells.gross_joules),
    Metric(
        key="energy_images",
        path="energy_j_per_inference.for_images.joules",
        bounded_beside=True,
        label=f"with idle, {words.thousands(IMAGES)} images",
        detail=True,
        text=words.joules,
        cell=cells.joules_for_images,
        sensor="power",
    ),
    Metric(
        key="power",
        path="power_w.peak",
        label="power: mean peak idle",
        detail=True,
        better="less",
        wish="power_w",
        text=_watts,
        cell=cells.watts,
        sensor="power",
    ),
    Metric(
        key="size",
        path="size_bytes",
        label="size",
        better="less",
        text=words.size,
        cell=cells.size,
        change=Change(
            field="size_ratio",
            below="smaller",
            above="larger",
            margin=_SIZE_NAMES,
            said="of the size",
            evident=True,
            deed=("smaller", "larger"),
            listed=ListColumn(head="size", narrow=False),
        ),
        axis=Axis(key="size_mb", name="size", unit="MB", scale=1e6),
        column=FinalColumn(head="size", width=10, rank=1),
        aim=Aim(word="smallest", what="size", shown="smaller"),
    ),
    Metric(
        key="gzip",
        path="size_gz_bytes",
        label="gzip",
        detail=True,
        better="less",
        wish="gzip_mb",
        wish_scale=1e6,
        text=words.size,
    ),
    Metric(key="plan_size", label="the plan's size", detail=True, cell=cells.plan_size),
    Metric(key="zeros", label="zeros", detail=True, cell=cells.zeros),
    Metric(key="parameters", path="parameters", text=words.count),
    Metric(key="macs", path="macs", text=words.count),
    Metric(
        key="memory",
        path="memory_mb.process_peak",
        label="memory: plan · peak · drop",
        better="less",
        text=_megabytes,
        cell=cells.memory,
        change=Change(field="memory_ratio", below="smaller", above="larger", margin=_SINGLE, said="of the memory"),
        axis=Axis(key="memory_mb", name="memory", unit="memory MB"),
        column=FinalColumn(head="memory", width=9, rank=5),
        aim=Aim(word="least-memory", what="memory", shown="lighter in memory"),
        stage="measure",
        missing=_ONE_PROCESS,
    ),
    Metric(
        key="plan_memory",
        path="memory_mb.plan",
        better="less",
        wish="plan_memory_mb",
        of_device=True,
        text=_megabytes,
        stage="measure",
        missing=_not_told,
    ),
    Metric(key="memory_drop", path="memory_mb.system_drop", text=_megabytes, stage="measure", missing=_no_drop),
    Metric(key="start", label="load · first inference", cell=cells.start),
    Metric(
        key="load",
        path="load_ms",
        better="less",
        wish="load_ms",
        text=words.ms,
        column=FinalColumn(head="load", width=9, rank=7),
        stage="measure",
        missing=_ONE_PROCESS,
    ),
    Metric(
        key="first",
        path="first_ms",
        better="less",
        wish="first_ms",
        text=words.ms,
        column=FinalColumn(head="first", width=10, rank=8),
        stage="measure",
        missing=_ONE_PROCESS,
    ),
    Metric(
        key="escalated",
        path="escalation.share",
        label="ran again, second plan",
        cell=escalated.share,
        stage="evaluate",
        missing="no samples were evaluated",
    ),
    Metric(
        key="escalation_threshold",
        path="escalation",
        label="where",
        detail=True,
        cell=escalated.threshold,
        stage="measure",
        missing="it was not measured beside both plans alone",
    ),
    Metric(key="narrow_alone", label="first plan alone", detail=True, cell=partial(escalated.plan_alone, "narrow")),
    Metric(key="wide_alone", label="second plan alone", detail=True, cell=partial(escalated.plan_alone, "wide")),
    *quality_rows.LABELLED_ROWS,
    *quality_rows.NEARNESS_ROWS,
    Metric(
        key="spent",
        path="payback.compress_s",
        compared=True,
        label="time to compress",
        better="less",
        text=words.seconds,
        cell=cells.spent,
    ),
    Metric(key="payback", label="pays back after", cell=cells.payback),
    Metric(key="payback_energy", label="in energy", detail=True, cell=cells.payback_energy),
)

AIMS: dict[str, Metric] = {metric.aim.word: metric for metric in METRICS if metric.aim is not None}
"""What a goal may ask for."""
LIMITED: dict[str, Metric] = {metric.limited_as: metric for metric in METRICS if metric.limited_as}
"""What a goal may limit."""
COSTS: tuple[Metric, ...] = tuple(metric for metric in METRICS if metric.axis and metric.better == "less")
"""Axes of which less is better, the usual one first."""
QUALITIES: tuple[Metric, ...] = tuple(metric for metric in METRICS if metric.axis and metric.better == "more")
"""Axes of which more is better: what labels say, then how near outputs are."""
LABELLED: tuple[tuple[Metric, Labelled], ...] = tuple((metric, metric.labelled) for metric in METRICS if metric.labelled)
"""What labels say, each of another task."""
LATENCY = METRICS[0]


def changes() -> Iterator[tuple[Metric, Change]]:
    """The metrics of which a candidate's difference from its baseline is told."""
    return ((metric, metric.change) for metric in METRICS if metric.change is not None)


class RunsColumn(NamedTuple):
    """A column of the lists of runs."""

    column: ListColumn
    among: tuple[tuple[Metric, Change], ...]
    """Metrics that share it: a run shows the first that it has."""

    def of(self, difference: Difference) -> tuple[Metric, Change]:
        """The metric that a run shows, or the first of all."""
        known = (pair for pair in self.among if pair[1].figure(difference).value is not None)
        return next(known, self.among[0])

    def wanted(self, differences: Iterable[Difference]) -> bool:
        """Whether there is anything to show; False: it needs a sensor, which none of these runs has had."""
        if not all(metric.sensor for metric, _ in self.among):
            return True
        return any(change.figure(each).value is not None for each in differences for _, change in self.among)

    def text(self, difference: Difference, *, full: bool = False) -> str:
        """What stands in a run's cell; `full`: with its interval."""
        metric, change = self.of(difference)
        figure = change.figure(difference)
        if figure.value is None:
            return words.DASH
        said = change.text(figure if full else Ratio(value=figure.value))
        return f"{metric.label} {said}" if len(self.among) > 1 else said


def listed() -> tuple[RunsColumn, ...]:
    """The columns of the lists of runs."""
    found: dict[str, RunsColumn] = {}
    for metric, change in changes():
        if change.listed is not None:
            head = change.listed.head
            before = found[head].among if head in found else ()
            found[head] = RunsColumn(change.listed, (*before, (metric, change)))
    return tuple(found.values())


def final_columns() -> Iterator[tuple[Metric, FinalColumn]]:
    """The columns of the workbench's table when a run is done."""
    return ((metric, metric.column) for metric in METRICS if metric.column is not None)


def metric_of(path: str) -> Metric | None:
    """Whose figure a path in the result document is: `candidate.latency_ms.n` is latency's; None: no metric's."""
    part, _, rest = path.partition(".")
    if part == "difference":
        return next((metric for metric, change in changes() if rest.partition(".")[0] in (change.field, *change.tests)), None)
    if part == "stages":
        return next((metric for metric in METRICS if metric.stage_field and rest.endswith(metric.stage_field)), None)
    if part not in ("baseline", "candidate", "guard", "fidelity"):
        return None
    inner = path if part == "fidelity" else rest
    within = [metric for metric in METRICS if metric.path and f"{inner}_".startswith(f"{metric.path}_")]
    own = sorted(within, key=lambda metric: len(metric.path), reverse=True)  # `map50_95_low` is of `map50_95`
    beside = [metric for metric in METRICS if metric.path.partition(".")[0] == inner.partition(".")[0] and not metric.compared]
    return next(iter([*own, *beside]), None)
