"""How a result was measured, in words with its own numbers, and what its intervals mean."""

from __future__ import annotations

from ..advice import words
from ..advice.escalated import escalation_of
from ..schema.result import Result
from ..schema.stamps import DatasetStamp

Paragraph = tuple[str, str]
"""(what it is about, the words)."""


def method(result: Result) -> list[Paragraph]:
    """What was measured in this run, paragraph by paragraph."""
    parts = [
        _latency(result),
        _two_plans(result),
        _together(result),
        _energy(result),
        _accuracy(result),
        _calibration(result),
        _memory(result),
    ]
    return [(head, text) for head, text in parts if text]


INTERVALS = (
    "A figure with ± or in [brackets] has a 95 % interval: were the same machine in the same state measured again and again, "
    "95 of 100 such intervals would hold the true value. Those of ratios are wider where several variants were measured "
    "together, so that all of them hold at once with 95 %. A ratio is candidate over baseline, from pairs of blocks or windows "
    "that were taken within moments of each other, so that what slows both sides alike drops out. A verdict (faster, "
    "thriftier, ...) is given only where the whole interval of the difference lies on one side of no difference; size and "
    "memory, which have one figure a side, must differ by more than 0.5 % and 5 %. Otherwise no difference was shown, which "
    "does not say that there is none. A dash is a figure that is not known; the reason is listed with the run."
)


def _latency(result: Result) -> Paragraph:
    latency = result.candidate.latency_ms
    if latency.n is None:
        return "Latency", ""
    interleaved, share = result.difference.latency_ratio.interleaved, latency.wanted_half_width
    parts = [
        f"{result.baseline.latency_ms.n} inferences of the baseline and {latency.n} of the candidate",
        "in blocks of both sides in turns, the order drawn and balanced" if interleaved else "",
        f"until the ratio's interval is within ±{100 * share:.3g} %" if share else "",
    ]
    ended = "Time was up before that; what was reached stands in the interval." if latency.capped else ""
    how = result.workload_text or result.workload
    said = (
        f"{how}, preset {result.preset}: {', '.join(filter(None, parts))}. Load, first inference and warm-up are "
        "not among them. No outlier was removed. The interval of a mean is Student's t over blocks, widened where blocks "
        "resemble their neighbours; a percentile is given from 11, 64, 130 and 662 inferences on (p50, p90, p95, p99)."
    )
    return "Latency", f"{said} {ended}".rstrip()


def _two_plans(result: Result) -> Paragraph:
    """On what plans were timed where inputs choose between two."""
    told = escalation_of(result)
    if told is None or told.timed_samples is None:
        return "Two plans", ""
    return "Two plans", (
        f"All variants inferred {told.timed_samples} different samples in turn, in orders that were drawn, because one sample "
        f"runs again always or never; {words.percent(told.timed_share)} of the candidate's inferences ran again meanwhile. "
        "Its memory, load and first inference are of both plans."
    )


def _together(result: Result) -> Paragraph:
    """How intervals allow for each other in a group."""
    told = result.correction
    if told.variants <= 2:
        return "Together", ""
    return "Together", (
        f"{told.variants} variants were measured in turns with one baseline. Intervals of ratios have a confidence of "
        f"{100 * told.confidence:.2f} % each ({told.method}, {told.comparisons} comparisons), so that all of them hold at once "
        "with 95 %."
    )


def _energy(result: Result) -> Paragraph:
    energy, power = result.candidate.energy_j_per_inference, result.candidate.power_w
    if energy.gross is None:
        why = result.reasons.get("candidate.energy_j_per_inference.gross", "")
        return "Energy", f"No joules: {why}." if why else ""
    how = "the sensor's own counter" if energy.method == "counter" else "the integral of power over time (trapezoids)"
    rate = f", {energy.rate_hz:.3g} readings a second" if energy.rate_hz else ""
    idle = f" Idle power, every plan unloaded: {words.digits(power.idle)} W" if power.idle is not None else ""
    drift = f", from before to after {words.signed_digits(power.idle_drift)} W" if power.idle_drift is not None else ""
    images = energy.for_images
    scaled = (
        f" {words.thousands(images.n)} images, idle power with them: {words.joules(images.joules)}, scaled from "
        f"{words.seconds(images.measured_s)}."
        if images.n is not None and images.joules is not None
        else ""
    )
    return "Energy", (
        f"{how[0].upper()}{how[1:]} over {energy.windows} windows of each plan in turns, {energy.samples} readings{rate}; "
        f"scope: {energy.scope or 'not told'}. Gross is as the sensor has it; net has idle power taken off, and its interval "
        f"holds what idle power is not known to.{idle}{drift}.{scaled}"
    )


_CLASSES = (
    "Top-1 has McNemar's mid-p test, of the samples that only one side got right. Precision, recall and F1 are means over the "
    "classes that occur, each alike, and weighted by how often it is a label."
)
_JUDGED = {
    "classification": _CLASSES,
    "text-classification": _CLASSES,
    "detection": "mAP is pycocotools': 100 detections of a class in an image at most; crowds and difficult objects are passed "
    "over.",
    "keypoints": "OKS mAP is pycocotools': 20 poses of a class in an image at most; crowds and persons without a keypoint are "
    "passed over.",
    "segmentation": "mIoU is over the pixels of all images together, the mean over classes that are there or are said; 255 is "
    "passed over.",
    "regression": "Mean absolute error and R² are means over the numbers of a sample.",
}
"""What is said of how figures of a task come about."""


def _accuracy(result: Result) -> Paragraph:
    count = result.candidate.accuracy.n
    if count is not None:
        how = _JUDGED.get(result.conditions.get("task", "").partition(" ")[0], "")
        return "Accuracy", (
            f"{count} labelled samples, the same for both sides{_which(result)}. Intervals are by bootstrap over samples, "
            f"differences by pairs. {how}".rstrip()
        )
    if result.fidelity.samples is not None:
        return "Outputs", (
            f"No labels: the candidate's outputs beside the baseline's on {result.fidelity.samples} samples{_which(result)}. "
            "That says how near they are, not how right."
        )
    return "Accuracy", ""


def calibrated_with(data: DatasetStamp) -> str:
    """`500 to calibrate (of 10 000 of train.zip, seed 0)`; a run from before that was told gives the number alone."""
    if not data.calibrated:
        return ""
    before, counted, after = data.calibration.partition(f"{words.grouped(data.calibrated)} of ")
    return f"{data.calibrated} to calibrate" + (f" ({before}of {after})" if counted else "")


def _calibration(result: Result) -> Paragraph:
    """What steps read, where that is known."""
    told = calibrated_with(result.dataset) if result.dataset is not None else ""
    return "Calibration", f"Samples that steps read: {told}." if told else ""


def _which(result: Result) -> str:
    """Which samples those were; empty: a run from before that was kept does not say."""
    data = result.dataset
    if data is None or not data.samples_sha256:
        return ""
    drawn = f", seed {data.seed}" if data.seed is not None else ""
    return f" ({data.evaluation}{drawn}; named in order in artifacts/samples.txt, SHA-256 {data.samples_sha256[:12]})"


def _memory(result: Result) -> Paragraph:
    if result.candidate.memory_mb.process_peak is None:
        return "Memory", ""
    return "Memory", "Load time, first inference and memory: each plan alone in a process of its own, never both loaded."
