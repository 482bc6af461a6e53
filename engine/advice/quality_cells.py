"""Cells of what outputs are worth: against labels, and against the baseline's.

Apart from `cells.py`, which has those of time, energy and size, as `quality_rows.py` is from `metrics.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from ..schema.output_figures import Fidelity
from . import words
from .columns import Column
from .words import DASH, dash

Cell = Callable[[Column], str]


def top1(column: Column) -> str:
    """`0.809  McNemar p 0.61`."""
    share = column.metrics.accuracy.top1
    if share is None:
        return dash(column.reason("accuracy") or column.reason("accuracy.top1"))
    p = column.result.difference.mcnemar_p if column.candidate else None
    return f"{share:.3f}" + (f"  McNemar {words.p_value(p)}" if p is not None else "")


def top1_interval(column: Column) -> str:
    """`[0.798, 0.820] of 5000`."""
    accuracy = column.metrics.accuracy
    if accuracy.top1_low is None or accuracy.top1_high is None:
        return DASH
    return f"[{accuracy.top1_low:.3f}, {accuracy.top1_high:.3f}] of {accuracy.n}"


def averages(kind: str) -> Cell:
    """A cell such as `0.811 0.809 0.809`: precision, recall and F1; `kind`: how their fields end."""

    def cell(column: Column) -> str:
        accuracy = column.metrics.accuracy
        values = [getattr(accuracy, f"{field}{kind}") for field in ("precision", "recall", "f1")]
        return DASH if None in values else " ".join(f"{value:.3f}" for value in values)

    return cell


def map_interval(column: Column) -> str:
    """`[0.402, 0.441] of 1203 boxes`."""
    accuracy = column.metrics.accuracy
    if accuracy.map50_95_low is None or accuracy.map50_95_high is None:
        return DASH
    return f"[{accuracy.map50_95_low:.3f}, {accuracy.map50_95_high:.3f}] of {accuracy.boxes} boxes"


def with_interval(field: str, many: str = "", text: Callable[[float], str] = "{:.3f}".format) -> Cell:
    """A cell such as `0.712 [0.690, 0.731] of 40 poses`; `many`: the field that counts what was to be found."""

    def cell(column: Column) -> str:
        accuracy = column.metrics.accuracy
        value, low, high = (getattr(accuracy, f"{field}{end}") for end in ("", "_low", "_high"))
        if value is None:
            return DASH
        within = "" if low is None or high is None else f" [{text(low)}, {text(high)}]"
        return f"{text(value)}{within}" + (f" of {getattr(accuracy, many)} {many}" if many else "")

    return cell


def keypoints(column: Column) -> str:
    """`0.962 (140 poses)`: with the baseline's keypoints, of so many poses, as the truth."""
    fidelity = column.result.fidelity
    if not column.candidate or fidelity.keypoints_oks_map is None:
        return DASH
    return f"{fidelity.keypoints_oks_map:.3f} ({fidelity.keypoints} poses)"


def same_class(column: Column) -> str:
    """`99.2 % [98.8 %, 99.5 %]`."""
    accuracy = column.metrics.accuracy
    if accuracy.agreement is None:
        return DASH
    within = ""
    if accuracy.agreement_low is not None and accuracy.agreement_high is not None:
        within = f" [{words.near_all(accuracy.agreement_low)}, {words.near_all(accuracy.agreement_high)}]"
    return f"{words.near_all(accuracy.agreement)}{within}"


def detections(column: Column) -> str:
    """`0.962 (mAP50 0.991, 1203 boxes)`: with the baseline's boxes, so many, as the truth."""
    fidelity = column.result.fidelity
    if not column.candidate or fidelity.detections_map50 is None or fidelity.detections_map50_95 is None:
        return DASH
    return f"{fidelity.detections_map50_95:.3f} (mAP50 {fidelity.detections_map50:.3f}, {fidelity.detections} boxes)"


def offset(column: Column) -> str:
    """`1.9 % (signed 1.0 %)`."""
    fidelity = column.result.fidelity
    if not column.candidate or fidelity.offset_rate_abs is None:
        return DASH
    signed = "" if fidelity.offset_rate is None else f" (signed {words.percent(fidelity.offset_rate)})"
    return f"{words.percent(fidelity.offset_rate_abs)}{signed}"


def closeness(column: Column) -> str:
    """`0.9991 · 24.8 dB · 0.30`."""
    fidelity = column.result.fidelity
    if not column.candidate or fidelity.cosine is None:
        return DASH
    sqnr = DASH if fidelity.sqnr_db is None else f"{words.fixed(fidelity.sqnr_db, 1)} dB"
    largest = DASH if fidelity.max_abs is None else words.digits(fidelity.max_abs, 2)
    return f"{words.fixed(fidelity.cosine, 4)} · {sqnr} · {largest}"


def matched(column: Column) -> str:
    """`99.2 % (of scores 99.9 %)`."""
    fidelity = column.result.fidelity
    if not column.candidate or fidelity.rows_matched is None:
        return DASH
    score = f" (of scores {words.near_all(fidelity.score_matched)})" if _scored(fidelity) else ""
    return f"{words.near_all(fidelity.rows_matched)}{score}"


def _scored(fidelity: Fidelity) -> bool:
    """Whether the share of scores says something else than that of rows."""
    if fidelity.rows_matched is None or fidelity.score_matched is None:
        return False
    return abs(fidelity.rows_matched - fidelity.score_matched) > 0.01
