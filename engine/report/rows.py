"""The rows of a comparison: what is said about the baseline and each candidate, in the order of importance.

`advise.compare` puts them beside each other; `show` prints them for one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from ..result import Fidelity, Metrics, Result
from . import words
from .words import DASH, dash

Tone = Literal["", "better", "worse"]
BETTER = frozenset({"faster", "smaller", "better"})
WORSE = frozenset({"slower", "larger", "worse"})


class Row(Struct, frozen=True):
    """One line of the table."""

    label: str
    cells: tuple[str, ...]
    """One for each column."""
    kind: Literal["figure", "detail"] = "figure"
    """A detail belongs to the figure above it and is drawn indented and dim."""
    tones: tuple[Tone, ...] = ()
    """Whether a cell says better or worse; one for each column."""


class Side(Struct, frozen=True):
    """One column: a baseline or a candidate."""

    label: str
    metrics: Metrics
    result: Result
    """The run it comes from."""
    candidate: bool

    def reason(self, field: str) -> str | None:
        """Why a field of this side is not known, e.g. `latency_ms.p99`."""
        return self.result.reasons.get(f"{'candidate' if self.candidate else 'baseline'}.{field}")

    def verdict(self, metric: str) -> str:
        """The verdict's word; empty for a baseline and where there is none."""
        return self.result.verdict.get(metric, "") if self.candidate else ""


Cell = Callable[[Side], str]
_ITSELF = "1"
"""A baseline's ratio to the baseline: no reason to draw a row."""


def rows(sides: Sequence[Side]) -> tuple[Row, ...]:
    """All rows that say something about at least one of the sides."""
    found = []
    for label, kind, metric, cell in _ROWS:
        cells = tuple(cell(side) for side in sides)
        if any(text not in ("", DASH, _ITSELF) and not text.startswith(f"{DASH} (") for text in cells):
            tones = tuple(_tone(side.verdict(metric)) for side in sides)
            found.append(Row(label, cells, kind, tones))
    return tuple(found)


def _tone(verdict: str) -> Tone:
    return "better" if verdict in BETTER else "worse" if verdict in WORSE else ""


def compress_seconds(result: Result) -> float | None:
    """What making the plan took: the recipe's steps, lower and build; for cached stages, what they took when they were made."""
    parts = [stage.seconds for stage in result.stages if "." in stage.name or stage.name in ("lower", "build")]
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def pays_back(result: Result) -> float | None:
    """Inferences after which compressing has cost less time than it saves; None: never, or not known."""
    before, after = result.baseline.latency_ms.mean, result.candidate.latency_ms.mean
    spent = compress_seconds(result)
    if result.verdict.get("latency") != "faster" or before is None or after is None or spent is None or after >= before:
        return None
    return spent * 1000 / (before - after)


def _latency(side: Side) -> str:
    latency = side.metrics.latency_ms
    return words.ms(latency.mean, latency.half_width, side.reason("latency_ms") or side.reason("latency_ms.mean"))


def _ratio(side: Side) -> str:
    if not side.candidate:
        return _ITSELF
    value = side.result.difference.latency_ratio
    verdict = side.verdict("latency")
    return DASH if value.value is None else f"{words.ratio(value)} {verdict}".rstrip()


def _percentiles(side: Side) -> str:
    latency = side.metrics.latency_ms
    return DASH if latency.mean is None else words.percentiles(latency, side.reason("latency_ms.p99"))


def _spread(side: Side) -> str:
    latency = side.metrics.latency_ms
    if latency.min is None or latency.max is None:
        return DASH
    sd = f"  sd {words.digits(latency.sd, 2)}" if latency.sd is not None else ""
    return f"{words.digits(latency.min)} {words.digits(latency.max)}{sd}"


def _device(side: Side) -> str:
    return words.ms(side.metrics.device_ms)


def _fps(side: Side) -> str:
    fps = side.metrics.fps
    return DASH if fps is None else words.digits(fps)


def _missed(side: Side) -> str:
    missed = side.metrics.latency_ms.missed_deadlines
    return DASH if missed is None else f"{missed} of {side.metrics.latency_ms.n}"


def _size(side: Side) -> str:
    share = side.result.difference.size_ratio if side.candidate else None
    return words.size(side.metrics.size_bytes) + (f" ({words.digits(share)})" if share is not None else "")


def _zeros(side: Side) -> str:
    total, nonzero = side.metrics.parameters, side.metrics.nonzero
    return words.percent((total - nonzero) / total) if total and nonzero is not None else DASH


def _memory(side: Side) -> str:
    memory = side.metrics.memory_mb
    if memory.process_peak is None and memory.system_drop is None:
        return dash(side.reason("memory_mb"))
    return f"{words.mb(memory.plan)} · {words.mb(memory.process_peak)} · {words.mb(memory.system_drop)} MB"


def _start(side: Side) -> str:
    load, first = side.metrics.load_ms, side.metrics.first_ms
    return DASH if load is None or first is None else f"{words.digits(load)} · {words.digits(first)} ms"


def _energy(side: Side) -> str:
    return words.joules(side.metrics.energy_j_per_inference.net)


def _peak_power(side: Side) -> str:
    peak = side.metrics.power_w.peak
    return DASH if peak is None else f"{words.digits(peak)} W"


def _top1(side: Side) -> str:
    top1 = side.metrics.accuracy.top1
    if top1 is None:
        return dash(side.reason("accuracy") or side.reason("accuracy.top1"))
    p = side.result.difference.mcnemar_p if side.candidate else None
    return f"{top1:.3f}" + (f"  McNemar {words.p_value(p)}" if p is not None else "")


def _top1_interval(side: Side) -> str:
    accuracy = side.metrics.accuracy
    if accuracy.top1_low is None or accuracy.top1_high is None:
        return DASH
    return f"[{accuracy.top1_low:.3f}, {accuracy.top1_high:.3f}] of {accuracy.n}"


def _macro(side: Side) -> str:
    accuracy = side.metrics.accuracy
    if accuracy.precision is None or accuracy.recall is None or accuracy.f1 is None:
        return DASH
    return f"{accuracy.precision:.3f} {accuracy.recall:.3f} {accuracy.f1:.3f}"


def _offset(side: Side) -> str:
    fidelity = side.result.fidelity
    if not side.candidate or fidelity.offset_rate_abs is None:
        return DASH
    signed = "" if fidelity.offset_rate is None else f" (signed {words.percent(fidelity.offset_rate)})"
    return f"{words.percent(fidelity.offset_rate_abs)}{signed}"


def _closeness(side: Side) -> str:
    fidelity = side.result.fidelity
    if not side.candidate or fidelity.cosine is None:
        return DASH
    sqnr = DASH if fidelity.sqnr_db is None else f"{fidelity.sqnr_db:.1f} dB"
    largest = DASH if fidelity.max_abs is None else words.digits(fidelity.max_abs, 2)
    return f"{fidelity.cosine:.4f} · {sqnr} · {largest}"


def _equal(side: Side) -> str:
    fidelity = side.result.fidelity
    return words.near_all(fidelity.agreement) if side.candidate else DASH


def _matched(side: Side) -> str:
    fidelity = side.result.fidelity
    if not side.candidate or fidelity.rows_matched is None:
        return DASH
    score = f" (of scores {words.near_all(fidelity.score_matched)})" if _scored(fidelity) else ""
    return f"{words.near_all(fidelity.rows_matched)}{score}"


def _scored(fidelity: Fidelity) -> bool:
    """Whether the share of scores says something else than that of rows."""
    if fidelity.rows_matched is None or fidelity.score_matched is None:
        return False
    return abs(fidelity.rows_matched - fidelity.score_matched) > 0.01


def _spent(side: Side) -> str:
    return words.seconds(compress_seconds(side.result)) if side.candidate else DASH


def _payback(side: Side) -> str:
    if not side.candidate or side.metrics.latency_ms.mean is None:
        return DASH
    inferences = pays_back(side.result)
    if inferences is None:
        known = side.verdict("latency") and compress_seconds(side.result) is not None
        return "never" if known else DASH
    return f"{words.thousands(inferences)} inferences"


_ROWS: tuple[tuple[str, Literal["figure", "detail"], str, Cell], ...] = (
    ("latency, mean", "figure", "latency", _latency),
    ("ratio to FP32", "detail", "latency", _ratio),
    ("p50 p90 p99, ms", "detail", "", _percentiles),
    ("min max, ms", "detail", "", _spread),
    ("on the GPU, without copies", "detail", "", _device),
    ("frames a second", "figure", "", _fps),
    ("missed deadlines", "detail", "", _missed),
    ("energy, net", "figure", "energy", _energy),
    ("peak power", "figure", "power", _peak_power),
    ("size", "figure", "size", _size),
    ("gzip", "detail", "", lambda side: words.size(side.metrics.size_gz_bytes)),
    ("zeros", "detail", "", _zeros),
    ("memory: plan · peak · drop", "figure", "memory", _memory),
    ("load · first inference", "figure", "", _start),
    ("top-1", "figure", "accuracy", _top1),
    ("95 % interval", "detail", "", _top1_interval),
    ("precision recall F1", "detail", "", _macro),
    ("offset rate", "figure", "", _offset),
    ("cosine · SQNR · largest error", "detail", "", _closeness),
    ("elements equal", "figure", "", _equal),
    ("rows matched", "figure", "", _matched),
    ("time to compress", "figure", "", _spent),
    ("pays back after", "figure", "", _payback),
)
