"""What outputs are worth: against labels, and against the baseline's."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Accuracy(Struct, frozen=True, kw_only=True):
    """Over the samples with labels. `_low` and `_high` are 95 % intervals by bootstrap over samples (images, texts).

    Precision, recall and F1 are means over the classes that are a label or a prediction somewhere, each class counting alike
    (macro), or as often as it is a label (`_weighted`); mAP is over those classes that are there.
    """

    top1: float | None = None
    top1_low: float | None = None
    top1_high: float | None = None
    top5: float | None = None
    """Share of samples whose label is among the five classes with the highest scores."""
    top5_low: float | None = None
    top5_high: float | None = None
    precision: float | None = None
    precision_low: float | None = None
    precision_high: float | None = None
    recall: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None
    f1: float | None = None
    f1_low: float | None = None
    f1_high: float | None = None
    precision_weighted: float | None = None
    precision_weighted_low: float | None = None
    precision_weighted_high: float | None = None
    recall_weighted: float | None = None
    recall_weighted_low: float | None = None
    recall_weighted_high: float | None = None
    f1_weighted: float | None = None
    f1_weighted_low: float | None = None
    f1_weighted_high: float | None = None
    map50: float | None = None
    """Mean average precision of boxes that share half of their union with a true one, as COCO computes it."""
    map50_low: float | None = None
    map50_high: float | None = None
    map50_95: float | None = None
    """Its mean over shares of 0.50, 0.55, ... 0.95."""
    map50_95_low: float | None = None
    map50_95_high: float | None = None
    boxes: int | None = None
    """That were to be found."""
    oks_map: float | None = None
    """Mean average precision of keypoints, over similarities (OKS) of 0.50, 0.55, ... 0.95, as COCO computes it."""
    oks_map_low: float | None = None
    oks_map_high: float | None = None
    oks_map50: float | None = None
    """The same at a similarity of 0.50 alone."""
    oks_map50_low: float | None = None
    oks_map50_high: float | None = None
    poses: int | None = None
    """That were to be found: persons with a keypoint that is labelled."""
    miou: float | None = None
    """Intersection over union of each class, from the pixels of all images, and the mean over classes that occur."""
    miou_low: float | None = None
    miou_high: float | None = None
    mae: float | None = None
    """Mean absolute error, in the unit of the labels."""
    mae_low: float | None = None
    mae_high: float | None = None
    r2: float | None = None
    """Share of the labels' variance that is told; the mean over what is told, where that is several numbers."""
    r2_low: float | None = None
    r2_high: float | None = None
    agreement: float | None = None
    """Share of samples (of pixels, where classes are of pixels) of which the candidate says the same class as the baseline;
    needs no labels, and the baseline has none."""
    agreement_low: float | None = None
    agreement_high: float | None = None
    n: int | None = None
    """Labelled samples."""


class OutputFidelity(Struct, frozen=True, kw_only=True):
    """One output, or one of the parts that lie side by side in it, on both sides."""

    name: str
    part: str = ""
    """The tensor inside the model that this part comes from, or what the decoder takes it for; empty: the whole output."""
    kind: Literal["quantity", "labels"] = "quantity"
    """`labels` (classes, places, masks, texts) are equal or they are not: no difference of two means anything."""
    ranked: bool = False
    """The data choose its rows (TopK, NonMaxSuppression): figures are over rows that have a twin on the other side."""
    offset_rate: float | None = None
    offset_rate_abs: float | None = None
    cosine: float | None = None
    sqnr_db: float | None = None
    max_abs: float | None = None
    agreement: float | None = None
    """Share of equal elements, where elements are whole numbers, truth values or texts; rows without a twin are unequal."""
    rows_matched: float | None = None
    """Of ranked rows."""


class Fidelity(Struct, frozen=True, kw_only=True):
    """The candidate's outputs beside the baseline's on the same samples.

    Offset rates are over all outputs that are quantities; cosine, SQNR and largest error of the quantity that fares worst.
    """

    offset_rate: float | None = None
    """Mean of (a - b) / a, a the baseline's element; signed, as the paper has it."""
    offset_rate_abs: float | None = None
    offset_rate_printed: float | None = None
    """The same over the elements that the paper's printed bounds let in: below -1.4e-45, or above 3.4e-38."""
    left_out: int | None = None
    """Elements too near zero to divide by."""
    cosine: float | None = None
    sqnr_db: float | None = None
    max_abs: float | None = None
    agreement: float | None = None
    """Share of equal elements of the output of labels that fares worst; without labels, of the worst of whole numbers."""
    rows_matched: float | None = None
    """Share of the rows that have a twin on the other side, where the data choose rows; of the output that fares worst."""
    score_matched: float | None = None
    """The same with each row weighted by its score, where an output holds scores between 0 and 1."""
    detections: int | None = None
    """Of the baseline, those that it is sure of; None: the outputs are no detections."""
    detections_map50: float | None = None
    """Mean average precision of the candidate's detections with those as the truth."""
    detections_map50_95: float | None = None
    keypoints: int | None = None
    """Poses of the baseline that it is sure of; None: the outputs are no keypoints."""
    keypoints_oks_map: float | None = None
    """Mean average precision of the candidate's keypoints with those as the truth."""
    masks_miou: float | None = None
    """Mean intersection over union of the candidate's masks with the baseline's as the truth; None: there are none."""
    samples: int | None = None
    outputs: tuple[OutputFidelity, ...] = ()
    ruined: str = ""
    """What noise drowns, and the first node where; empty: nothing. It is among the result's warnings too."""
