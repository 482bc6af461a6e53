"""Rows of what outputs are worth: against labels, one group for each task, and against the baseline's.

Apart from `metrics.py`, which holds all rows together, because tasks come with several rows each.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..schema.figures import Difference, Ratio
from ..schema.result import Result
from . import quality_cells, words
from .metric import Axis, Change, FinalColumn, Labelled, ListColumn, Metric, Nearness

_TRUTHS = {
    "classification": "a class for each sample",
    "text-classification": "a class for each text",
    "detection": "boxes",
    "keypoints": "keypoints",
    "segmentation": "masks",
    "regression": "numbers",
}
"""What data of a task have for labels."""
_IN_LISTS = ListColumn(head="accuracy", narrow=False)
"""Whichever metric of labels a run has, in one column."""


def _unless(tasks: tuple[str, ...], wanted: str) -> Callable[[Result], str]:
    """Why a figure is missing that data of certain tasks give: they are of another, or have nothing."""

    def why(result: Result) -> str:
        task = result.conditions.get("task", "").partition(" ")[0]
        evaluated = result.baseline.accuracy.n is not None
        if evaluated and task in _TRUTHS and task not in tasks:
            return f"the data have {_TRUTHS[task]}, not {wanted}"
        return f"there are no {wanted} in the data" if wanted in ("boxes", "keypoints", "masks") else "there are no labels"

    return why


_no_classes = _unless(("classification", "text-classification"), "a class for each sample")
_no_boxes = _unless(("detection",), "boxes")
_no_keypoints = _unless(("keypoints",), "keypoints")
_no_masks = _unless(("segmentation",), "masks")
_no_numbers = _unless(("regression",), "numbers")
_NO_DETECTIONS = "the outputs are no detections"
_NO_POSES = "the outputs are no keypoints"
_NO_MASKS = "the outputs are no masks"
_NO_CLASS = "nothing says that the outputs are classes"


def _by_mcnemar(difference: Difference) -> str:
    p = difference.mcnemar_p
    return f"not shown to differ, {words.p_value(p)}" if p is not None and p >= 0.05 else ""


def _by_interval(field: str) -> Callable[[Difference], str]:
    """Doubt where the interval of a difference holds 0."""

    def doubt(difference: Difference) -> str:
        ratio: Ratio = getattr(difference, field)
        return "not shown to differ" if ratio.low is None or ratio.high is None or ratio.low <= 0 <= ratio.high else ""

    return doubt


def _points(value: Ratio) -> str:
    """A difference of shares: `-1.2 pt`."""
    return words.DASH if value.value is None else f"{words.signed(value.value * 100, 1)} pt"


def _signed(value: Ratio) -> str:
    """A difference in the unit of the labels: `+0.12`."""
    return words.DASH if value.value is None else words.signed_digits(value.value)


def _thousandths(value: Ratio) -> str:
    """A difference of what is no share: `-0.012`."""
    return words.DASH if value.value is None else words.signed(value.value, 3)


def _share(value: float, *, more: int = 0) -> str:
    return words.fixed(value, 3 + more)


def _cosine(value: float, *, more: int = 0) -> str:
    return f"{value:.{4 + more}f}"


def _gained(field: str, tests: tuple[str, ...] = (), *, listed: bool = False) -> Change:
    """The paired difference of a share."""
    return Change(
        field=field,
        below="worse",
        above="better",
        neutral=0.0,
        both=True,
        tests=tests,
        text=_points,
        listed=_IN_LISTS if listed else None,
    )


LABELLED_ROWS = (
    Metric(
        key="accuracy",
        path="accuracy.top1",
        label="top-1",
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.top1,
        change=_gained("top1_points", ("mcnemar_p",), listed=True),
        axis=Axis(key="top1", name="top-1", unit="top-1"),
        column=FinalColumn(head="top-1", width=8, rank=2),
        labelled=Labelled(word="top-1", doubt=_by_mcnemar),
        stage="evaluate",
        missing=_no_classes,
        tasks=("classification", "text-classification"),
    ),
    Metric(key="top1_interval", label="95 % interval", detail=True, cell=quality_cells.top1_interval),
    Metric(
        key="top5",
        path="accuracy.top5",
        label="top-5",
        detail=True,
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.with_interval("top5"),
        change=_gained("top5_points"),
        axis=Axis(key="top5", name="top-5", unit="top-5"),
        labelled=Labelled(word="top-5", doubt=_by_interval("top5_points")),
        stage="evaluate",
        missing=_no_classes,
        tasks=("classification", "text-classification"),
    ),
    Metric(key="macro", label="precision recall F1", detail=True, cell=quality_cells.averages("")),
    Metric(key="weighted", label="weighted by class", detail=True, cell=quality_cells.averages("_weighted")),
    Metric(key="precision", path="accuracy.precision", most=1.0, text=_share, stage="evaluate", missing=_no_classes),
    Metric(key="recall", path="accuracy.recall", most=1.0, text=_share, stage="evaluate", missing=_no_classes),
    Metric(
        key="f1",
        path="accuracy.f1",
        better="more",
        most=1.0,
        wish="f1",
        text=_share,
        change=_gained("f1_points"),
        column=FinalColumn(head="F1", width=8, rank=6),
        stage="evaluate",
        missing=_no_classes,
        tasks=("classification", "text-classification"),
    ),
    Metric(
        key="map",
        path="accuracy.map50_95",
        label="mAP50-95",
        better="more",
        most=1.0,
        text=_share,
        change=_gained("map50_95_points", ("map50_points",), listed=True),
        axis=Axis(key="map50_95", name="mAP50-95", unit="mAP50-95"),
        column=FinalColumn(head="mAP", width=8, rank=2),
        labelled=Labelled(word="mAP50-95", doubt=_by_interval("map50_95_points")),
        stage="evaluate",
        missing=_no_boxes,
        tasks=("detection",),
    ),
    Metric(key="map_interval", label="95 % interval", detail=True, cell=quality_cells.map_interval),
    Metric(
        key="map50",
        path="accuracy.map50",
        wish="map50",
        label="mAP50",
        detail=True,
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.with_interval("map50"),
        column=FinalColumn(head="mAP50", width=8, rank=5),
        stage="evaluate",
        missing=_no_boxes,
        tasks=("detection",),
    ),
    Metric(key="boxes", path="accuracy.boxes", stage="evaluate", missing=_no_boxes),
    Metric(
        key="oks_map",
        path="accuracy.oks_map",
        label="OKS mAP",
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.with_interval("oks_map", "poses"),
        change=_gained("oks_map_points", listed=True),
        axis=Axis(key="oks_map", name="OKS mAP", unit="OKS mAP50-95"),
        column=FinalColumn(head="OKS mAP", width=9, rank=2),
        labelled=Labelled(word="OKS mAP", doubt=_by_interval("oks_map_points")),
        stage="evaluate",
        missing=_no_keypoints,
        tasks=("keypoints",),
    ),
    Metric(
        key="oks_map50",
        path="accuracy.oks_map50",
        wish="oks_map50",
        label="OKS mAP50",
        detail=True,
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.with_interval("oks_map50"),
        stage="evaluate",
        missing=_no_keypoints,
        tasks=("keypoints",),
    ),
    Metric(key="poses", path="accuracy.poses", stage="evaluate", missing=_no_keypoints),
    Metric(
        key="miou",
        path="accuracy.miou",
        label="mIoU",
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.with_interval("miou"),
        change=_gained("miou_points", listed=True),
        axis=Axis(key="miou", name="mIoU", unit="mIoU"),
        column=FinalColumn(head="mIoU", width=8, rank=2),
        labelled=Labelled(word="mIoU", doubt=_by_interval("miou_points")),
        stage="evaluate",
        missing=_no_masks,
        tasks=("segmentation",),
    ),
    Metric(
        key="r2",
        path="accuracy.r2",
        label="R²",
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.with_interval("r2"),
        change=msgspec.structs.replace(_gained("r2_points", listed=True), text=_thousandths),
        axis=Axis(key="r2", name="R²", unit="R²"),
        column=FinalColumn(head="R²", width=8, rank=2),
        labelled=Labelled(word="R²", doubt=_by_interval("r2_points")),
        stage="evaluate",
        missing=_no_numbers,
        tasks=("regression",),
    ),
    Metric(
        key="mae",
        path="accuracy.mae",
        label="mean absolute error",
        detail=True,
        better="less",
        wish="mae",
        cell=quality_cells.with_interval("mae", text=words.digits),
        change=Change(
            field="mae_difference", below="nearer", above="farther", neutral=0.0, both=True, text=_signed, evident=False
        ),
        column=FinalColumn(head="MAE", width=9, rank=5),
        stage="evaluate",
        missing=_no_numbers,
        tasks=("regression",),
    ),
)
"""What labels say, by task; the main metric of each first."""

NEARNESS_ROWS = (
    Metric(
        key="detections",
        path="fidelity.detections_map50_95",
        compared=True,
        label="boxes like FP32's, mAP",
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.detections,
        axis=Axis(key="detections", name="boxes like FP32's", unit="mAP50-95 with FP32's boxes as the truth", baseline=1.0),
        nearness=Nearness(
            limit="min_detections",
            wished=lambda least: f"mAP50-95 of {least:g} or more with FP32's boxes as the truth; accuracy is not known",
            far=lambda value: f"mAP50-95 {value} with FP32's as the truth",
            said=lambda value: f"mAP50-95 of its boxes with FP32's as the truth {value:.3f}",
        ),
        stage="evaluate",
        missing=_NO_DETECTIONS,
    ),
    Metric(key="detections_map50", path="fidelity.detections_map50", compared=True, stage="evaluate", missing=_NO_DETECTIONS),
    Metric(key="detections_many", path="fidelity.detections", compared=True, stage="evaluate", missing=_NO_DETECTIONS),
    Metric(
        key="keypoints",
        path="fidelity.keypoints_oks_map",
        compared=True,
        label="keypoints like FP32's, OKS mAP",
        better="more",
        most=1.0,
        text=_share,
        cell=quality_cells.keypoints,
        axis=Axis(key="keypoints", name="keypoints like FP32's", unit="OKS mAP with FP32's as the truth", baseline=1.0),
        nearness=Nearness(
            limit="min_keypoints",
            wished=lambda least: f"OKS mAP of {least:g} or more with FP32's keypoints as the truth; accuracy is not known",
            far=lambda value: f"OKS mAP {value} with FP32's as the truth",
            said=lambda value: f"OKS mAP of its keypoints with FP32's as the truth {value:.3f}",
        ),
        stage="evaluate",
        missing=_NO_POSES,
    ),
    Metric(key="keypoints_many", path="fidelity.keypoints", compared=True, stage="evaluate", missing=_NO_POSES),
    Metric(
        key="masks",
        path="fidelity.masks_miou",
        compared=True,
        label="masks like FP32's, mIoU",
        better="more",
        most=1.0,
        text=_share,
        axis=Axis(key="masks", name="masks like FP32's", unit="mIoU with FP32's masks as the truth", baseline=1.0),
        nearness=Nearness(
            limit="min_masks",
            wished=lambda least: f"mIoU of {least:g} or more with FP32's masks as the truth; accuracy is not known",
            far=lambda value: f"mIoU {value} with FP32's as the truth",
            said=lambda value: f"mIoU of its masks with FP32's as the truth {value:.3f}",
        ),
        stage="evaluate",
        missing=_NO_MASKS,
    ),
    Metric(
        key="same_class",
        path="accuracy.agreement",
        label="same class as FP32",
        better="more",
        most=1.0,
        text=words.near_all,
        cell=quality_cells.same_class,
        axis=Axis(key="same_class", name="same class", unit="share of the same class as FP32", baseline=1.0),
        nearness=Nearness(
            limit="min_agreement",
            wished=lambda least: f"the same class as FP32 for {words.percent(least)}; accuracy is not known",
            far=lambda value: f"the same class for {value}",
            said=lambda value: f"the same class as FP32 for {words.near_all(value)}",
        ),
        stage="evaluate",
        missing=_NO_CLASS,
    ),
    Metric(key="offset", path="fidelity.offset_rate", compared=True, label="offset rate", cell=quality_cells.offset),
    Metric(key="offset_abs", path="fidelity.offset_rate_abs", compared=True),
    Metric(key="offset_left_out", path="fidelity.left_out", compared=True),
    Metric(key="offset_printed", path="fidelity.offset_rate_printed", compared=True),
    Metric(
        key="cosine",
        path="fidelity.cosine",
        compared=True,
        label="cosine · SQNR · largest error",
        detail=True,
        better="more",
        most=1.0,
        text=_cosine,
        cell=quality_cells.closeness,
        axis=Axis(key="cosine", name="cosine", unit="cosine to FP32", baseline=1.0),
        nearness=Nearness(
            limit="min_cosine",
            wished=lambda least: f"outputs near FP32's (cosine ≥ {least:g}); without labels accuracy is not known",
            far=lambda value: f"cosine {value}",
            said=lambda value: f"cosine of its outputs to FP32's {value:.4f}",
        ),
    ),
    Metric(
        key="agreement",
        path="fidelity.agreement",
        compared=True,
        label="elements equal",
        better="more",
        most=1.0,
        text=words.near_all,
        axis=Axis(key="agreement", name="equal labels", unit="share equal to FP32's", baseline=1.0),
        nearness=Nearness(
            limit="min_agreement",
            wished=lambda least: f"{words.percent(least)} of its outputs' labels equal to FP32's; accuracy is not known",
            far=lambda value: f"{value} of labels equal",
            said=lambda value: f"{words.near_all(value)} of its outputs' labels equal FP32's",
        ),
    ),
    Metric(key="matched", label="rows matched", cell=quality_cells.matched),
)
"""How near outputs are to the baseline's, the most telling first."""
