"""A probed dataset in words and tables: the same on the screen and in what `edgetui dataset` prints."""

from __future__ import annotations

from pathlib import Path

from ..advice import words
from ..schema.dataset_probe import DatasetProbe, ImagesSeen, InputTried, SampleShown
from .table import Paint, paragraph, plain

ALIKE = 0.05
"""p-value from which a way is not shown to be worse than the best."""
_CLASSES = 20
"""That are named one by one."""
TRIED_HEADS = ("fed as", "top-1", "95 %", "beside the best")


def found_pairs(found: DatasetProbe) -> list[tuple[str, str]]:
    """What is known, each with its name."""
    dataset = found.dataset
    purpose = "" if dataset.task == dataset.kind else f", for {dataset.task}"
    pairs = [("kind", f"{dataset.kind}{purpose if found.labelled else ', without labels'}")]
    apart = "a share of them calibrates"
    if found.calibration_samples is not None:
        apart = f"{words.grouped(found.calibration_samples)} others calibrate ({Path(dataset.calibration).name})"
    pairs.append(("samples", f"{words.grouped(found.samples)} in {Path(dataset.path).name}; {apart}"))
    if found.images is not None:
        pairs.append(("images", images_words(found.images)))
    pairs.append(("labels", labels_words(found)))
    if found.model is not None:
        many = f"tells {found.model.classes} classes apart" if found.model.classes else "does not say how many classes it has"
        pairs.append(("model", f"{Path(found.model.path).name}  {found.model.input}; {many}"))
    return pairs


def images_words(seen: ImagesSeen) -> str:
    """Sizes and colours."""
    (low, high), (short, tall) = seen.widths, seen.heights
    size = f"{low} x {short}" if seen.sizes == 1 else f"{low} x {short} to {high} x {tall}, {seen.sizes} sizes"
    colors = (
        ", ".join(f"{many} {name}" for name, many in seen.colors.items()) if len(seen.colors) > 1 else next(iter(seen.colors))
    )
    return f"{size}  {colors}   ({words.grouped(seen.looked)} were looked into)"


def labels_words(found: DatasetProbe) -> str:
    """Classes with their counts."""
    if not found.labelled:
        return "none: a run compares outputs with the original's"
    if not found.classes:
        return "each sample has one"
    counts = [each.count for each in found.classes]
    alike = min(counts) == max(counts)
    each_has = f", {counts[0]} each" if alike else ""
    named = "  ".join(each.name if alike else f"{each.name} {each.count}" for each in found.classes[:_CLASSES])
    more = f"  and {len(found.classes) - _CLASSES} more" if len(found.classes) > _CLASSES else ""
    many = f"{words.grouped(sum(counts))} {found.counted} of {len(counts)} class{'' if len(counts) == 1 else 'es'}"
    return f"{many}{each_has}: {named}{more}"


def sample_cells(sample: SampleShown) -> tuple[str, str, str]:
    """Its name, what is right of it, and what it is."""
    return sample.name, sample.label, f"cannot be read: {sample.broken}" if sample.broken else sample.facts


def tried_cells(row: InputTried) -> tuple[str, str, str, str]:
    """A way, its accuracy, and how it stands beside the best."""
    beside = ""
    if row.p is not None:
        beside = f"{'not shown to differ' if row.p >= ALIKE else 'worse'}, {words.p_value(row.p)}"
    return row.name, f"{row.top1:.3f}", f"[{row.top1_low:.3f}, {row.top1_high:.3f}]", beside


def proposal(found: DatasetProbe) -> str:
    """What is proposed and why, or why nothing is; empty: there is no model."""
    if found.model is None or found.refusals:
        return ""
    if not found.tried:
        return f"Nothing was tried: {found.untried}."
    best, shown = found.tried[0], found.confirmed or found.tried[0]
    accuracy = f"top-1 {shown.top1:.3f} [{shown.top1_low:.3f}, {shown.top1_high:.3f}] over {shown.n} samples"
    accuracy += " that did not choose it" if found.confirmed else ""
    guess = f"guessing gives {found.chance or 0:.3f}"
    if not found.above_chance:
        what = f"None of {len(found.tried)} ways to feed it is" if len(found.tried) > 1 else "It is not"
        who = best.name if best.input is not None else "FP32"
        return (
            f"{what} better than guessing: {who} has {accuracy}, and {guess}. None is proposed: classes may be in another "
            "order, the model may be trained for something else, or it is fed in a way that is not usual."
        )
    alike = [row.name for row in found.tried[1:] if row.p is not None and row.p >= ALIKE]
    beside = f" Not shown to be worse: {', '.join(alike)}." if alike else ""
    if best.input is None:
        return f"FP32: {accuracy}; {guess}."
    return f"Proposed: {best.name}, the best of {len(found.tried)} ways; {accuracy}; {guess}.{beside}"


def dataset_report(found: DatasetProbe, toml: str, width: int, paint: Paint = plain) -> str:
    """What `dataset` prints. `toml`: the description that would be written."""
    pairs = found_pairs(found)
    parts = [
        paint(found.dataset.name or Path(found.dataset.path).name, "head"),
        paint.table(pairs, width=width, tones=[("dim", "")] * len(pairs)),
    ]
    if found.shown:
        parts += [
            "",
            paint.table(
                [sample_cells(each) for each in found.shown], width=width, tones=[("", "accent", "dim")] * len(found.shown)
            ),
        ]
    if found.tried:
        lines = [TRIED_HEADS, *(tried_cells(row) for row in found.tried)]
        tones = [("dim",) * 4, ("better", "better", "", "dim"), *[("", "", "dim", "dim")] * (len(found.tried) - 1)]
        n = f"FP32 over {found.tried[0].n} samples each" if len(found.tried) > 1 else f"FP32 over {found.tried[0].n} samples"
        parts += ["", paint(n, "dim"), paint.table(lines, width=width, tones=tones, right={1}, heads=True)]
    if told := proposal(found):
        parts += ["", paint(paragraph(told, width), "accent" if found.above_chance else "worse" if found.tried else "")]
    parts += ["", *(paint(paragraph(f"! {note}", width), "worse") for note in found.notes)] if found.notes else []
    parts += ["", toml.rstrip()] if not found.refusals else []
    return "\n".join(parts)
