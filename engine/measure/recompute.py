"""The figures of a result once more, from the raw samples in its run's folder: by the code that made them.

Apart from `latency_histograms.py`, which makes pictures of the same samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..advice.recomputed import BlockMeans, EnergyWindow, PowerTrace, RawFigure, RawSamples, Recomputed
from ..schema.figures import Difference, Ratio
from ..telemetry.energy import Point, Readings, energy
from ..telemetry.sample import Sample, Stats
from .energy_figures import Figures, Idle, Turn, Variant, found_in
from .latency import RULES, Record, summarise
from .power_meter import Meter
from .raw_arrays import DAMAGED, Arrays, read_arrays
from .recompute_outputs import of_outputs
from .recompute_workload import of_workload
from .statistics import paired_ratio
from .throttling import ThrottleWatch

EQUAL = 1e-9
"""Figures that differ by less, as a share, are the same: sums in another order."""
MOST_POINTS = 2000
"""Of a trace of power."""
_LATENCY = ("mean", "half_width", "p50", "p90", "p95", "p99", "min", "max", "sd", "iqr", "n", "blocks")
_FIGURES: dict[str, Callable[[Figures], float | None]] = {
    "energy_j_per_inference.gross": lambda told: told.gross,
    "energy_j_per_inference.gross_half_width": lambda told: told.gross_half,
    "energy_j_per_inference.net": lambda told: told.net,
    "energy_j_per_inference.net_half_width": lambda told: told.net_half,
    "energy_j_per_inference.windows": lambda told: told.windows,
    "power_w.mean": lambda told: told.mean_w,
    "power_w.peak": lambda told: told.peak_w,
}
_BESIDE = (
    ("candidate", "baseline", "difference", ""),
    ("candidate", "guard", "difference", "_to_guard"),
    ("guard", "baseline", "guard_difference", ""),
)
"""Of whom and to whom ratios are told, and where: before and behind the field's name."""
Told = Iterator[tuple[str, float | None]]


def recompute(asked: RawSamples) -> Recomputed:
    """All figures that the samples give, beside those of the document."""
    reasons: dict[str, str] = {}
    told: list[tuple[str, float | None]] = []
    blocks: tuple[BlockMeans, ...] = ()
    power: PowerTrace | None = None
    latencies, joules = read_arrays(asked.latencies), read_arrays(asked.energy)
    try:
        if isinstance(latencies, str):
            reasons["latencies"] = latencies
        else:
            records = _records(latencies)
            blocks = _blocks(records)
            told += _of_latencies(records, asked.result.correction.confidence)
    except (*DAMAGED, IndexError, ArithmeticError) as error:
        reasons["latencies"] = f"{asked.latencies} is not what a run leaves ({error})"
    try:
        if isinstance(joules, str):
            reasons["energy"] = joules
        else:
            method = asked.result.baseline.energy_j_per_inference.method
            variants = _variants(joules, counted=method == "counter")
            told += _of_energy(variants, joules, asked.result.correction.confidence)
            power = _trace(variants, joules)
    except (*DAMAGED, IndexError, ArithmeticError, AssertionError) as error:
        reasons["energy"] = f"{asked.energy} is not what a run leaves ({error})"
    of_load = read_arrays(asked.workload) if asked.workload else {}
    try:
        if isinstance(of_load, str):
            reasons["workload"] = of_load
        elif asked.workload:
            found = list(of_workload(of_load, {} if isinstance(latencies, str) else latencies))
            told += found
            if not found:
                reasons["workload"] = f"no figure is computed again from {asked.workload}"
    except (*DAMAGED, IndexError, ArithmeticError) as error:
        reasons["workload"] = f"{asked.workload} is not what a run leaves ({error})"
    outputs = read_arrays(asked.evaluation)
    try:
        if isinstance(outputs, str):
            reasons["evaluation"] = outputs
        else:
            told += list(of_outputs(outputs))
    except (*DAMAGED, IndexError, ArithmeticError) as error:
        reasons["evaluation"] = f"{asked.evaluation} is not what a run leaves ({error})"
    figures = tuple(_beside(asked, path, value) for path, value in told)
    return Recomputed(run=asked.result.run, figures=figures, blocks=blocks, power=power, reasons=reasons)


def _beside(asked: RawSamples, path: str, computed: float | None) -> RawFigure:
    value: object = asked.result
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    stored = float(value) if isinstance(value, int | float) else None
    known = stored is not None and computed is not None
    same = math.isclose(stored, computed, rel_tol=EQUAL) if known else stored is computed  # type: ignore[arg-type]
    return RawFigure(path=path, stored=stored, computed=computed, differs=not same)


def _records(raw: Arrays) -> list[Record]:
    """The blocks of every side, as they were measured."""
    found = []
    for key in raw:
        side, ns, _ = key.partition("_ns")
        if not ns or key != f"{side}_ns" or side.endswith("_began"):
            continue
        record = Record(side)
        ends = np.flatnonzero(np.diff(raw[f"{side}_block"])) + 1
        for times, began in zip(np.split(raw[key], ends), raw[f"{side}_began_ns"], strict=True):
            record.add(times.astype(np.int64), int(began), 0.0)
        found.append(record)
    return found


def _blocks(records: list[Record]) -> tuple[BlockMeans, ...]:
    first = min((record.began_ns[0] for record in records), default=0)
    return tuple(
        BlockMeans(
            side=record.name,
            began_s=tuple((began - first) / 1e9 for began in record.began_ns),
            mean_ms=tuple(record.means_ms().tolist()),
        )
        for record in records
    )


def _of_latencies(records: list[Record], confidence: float) -> Told:
    for record in records:
        latency, _ = summarise(record, RULES["normal"], capped=False)
        yield from ((f"{record.name}.latency_ms.{field}", getattr(latency, field)) for field in _LATENCY)
        yield f"{record.name}.fps", 1000 / latency.mean if latency.mean else None
    sides = {record.name: record for record in records}
    for of, to, path in _ratios(sides, "latency_ratio"):
        value, low, high = paired_ratio(sides[to].means_ms(), sides[of].means_ms(), confidence)
        yield from _ratio(path, Ratio(value=value, low=low, high=high))


def _ratios(sides: Container[str], field: str) -> Iterator[tuple[str, str, str]]:
    """(of whom, to whom, path in the document) for the ratios of this field that a document tells."""
    for of, to, before, behind in _BESIDE:
        if of in sides and to in sides and f"{field}{behind}" in Difference.__struct_fields__:
            yield of, to, f"{before}.{field}{behind}"


def _ratio(path: str, ratio: Ratio) -> Told:
    yield from ((f"{path}.{part}", getattr(ratio, part)) for part in ("value", "low", "high"))


def _variants(raw: Arrays, *, counted: bool) -> list[Variant]:
    """The windows of every side. Joules that a sensor counted itself are no samples: they are as it told them."""
    points: list[Point] = list(zip(raw["sample_s"].tolist(), raw["sample_w"].tolist(), strict=True))
    found = []
    for side in (key.removesuffix("_joules") for key in raw if key.endswith("_joules")):
        columns = (raw[f"{side}_{name}"].tolist() for name in ("begin_s", "end_s", "inferences", "joules"))
        turns = []
        for begin, end, inferences, joules in zip(*columns, strict=True):
            around = [point for point in points if begin - 10 <= point[0] <= end + 10]
            figure = energy(around, begin, end)
            if counted and figure.joules is not None:
                figure = msgspec.structs.replace(figure, joules=joules, mean_w=joules / figure.seconds, method="counter")
            if figure.joules is None:
                raise ValueError(figure.reason)
            turns.append(Turn(begin, end, int(inferences), figure))
        found.append(Variant(side, _nothing, turns))
    return found


def _nothing() -> Iterator[int]:
    """What would infer, while it was measured."""
    return iter(())


class _Over(Readings):
    """A sensor that has said all it will: what is asked of it stands in the windows."""

    def newest(self) -> Sample | None:
        """None."""
        return None

    def newest_number(self) -> int:
        """None."""
        return 0

    def since(self, n: int) -> list[tuple[int, Sample]]:
        """Nothing."""
        del n
        return []

    def stats(self) -> Stats:
        """Nothing."""
        return Stats()


def _of_energy(variants: list[Variant], raw: Arrays, confidence: float) -> Told:
    idle = Idle(raw["idle_s"], raw["idle_w"])
    middle_s = float(raw["middle_s"][0]) if "middle_s" in raw else None  # of a group's other candidates too
    meter = Meter(_Over(), ThrottleWatch())
    for t_s, watts in zip(raw["sample_s"].tolist(), raw["sample_w"].tolist(), strict=True):
        mw = round(1000 * watts)
        meter.past.add(Sample(t_s=t_s, total_mw=mw), mw)
    found = found_in(variants, idle, meter, [], confidence, middle_s)
    for side, figures in found.figures.items():
        yield from ((f"{side}.{path}", value(figures)) for path, value in _FIGURES.items())
        yield f"{side}.power_w.idle", idle.mean_w
        yield f"{side}.power_w.idle_drift", idle.drift_w
    for of, to, path in _ratios(found.figures, "energy_ratio"):
        yield from _ratio(path, found.ratios[of, to].net)
    for of, to, path in _ratios(found.figures, "energy_ratio_gross"):
        yield from _ratio(path, found.ratios[of, to].gross)


def _trace(variants: list[Variant], raw: Arrays) -> PowerTrace:
    first = float(raw["sample_s"][0])
    at, watts = _thinned(raw["sample_s"] - first, raw["sample_w"])
    return PowerTrace(
        samples_s=tuple(at.tolist()),
        watts=tuple(watts.tolist()),
        idle_s=tuple((raw["idle_s"] - first).tolist()),
        idle_w=tuple(raw["idle_w"].tolist()),
        windows=tuple(
            EnergyWindow(
                side=variant.name,
                begin_s=turn.begin_s - first,
                end_s=turn.end_s - first,
                inferences=turn.inferences,
                joules=turn.energy.joules or 0.0,
            )
            for variant in variants
            for turn in variant.windows
        ),
    )


def _thinned(at: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most `MOST_POINTS`: the least and the largest of each of so many stretches."""
    size = math.ceil(len(at) / (MOST_POINTS // 2))
    if size < 3:
        return at, values
    kept: list[int] = []
    for begin in range(0, len(at), size):
        part = values[begin : begin + size]
        kept += sorted({begin + int(part.argmin()), begin + int(part.argmax())})
    return at[kept], values[kept]
