"""What is in a dataset, whatever the model: how many samples of which classes, sizes and colours of images, a few to look at.

Apart from the readers, which make a model's input of samples: here nothing is fed, and few files are opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..library.annotated_images import suffix_of
from ..schema.dataset_probe import ClassCounted, ImagesSeen, SampleShown
from ..schema.spec import Dataset
from ..system.reporter import Reporter
from ..tasks.exporter import ExportNotes
from .annotated import AnnotatedFiles, find_annotated
from .arrays import class_labels, members_of
from .decoding import head_of, small_picture, unreadable, why_unreadable
from .folders import ImageFiles, find_files, readable_name
from .labelled_texts import read_texts
from .masked_images import find_masked
from .samples import balanced_order

MOST_LOOKED, FEW_LOOKED = 200, 40
"""Image files that are opened; the second where they are photographs of megabytes, of which one takes 20 ms."""
LARGE_BYTES = 500_000
MOST_CLASSES = 100_000
"""Numbers above are no classes that anybody counts."""
_MODES = {
    "L": "grey", "1": "black and white", "P": "palette", "RGB": "RGB", "RGBA": "RGB with alpha", "LA": "grey with alpha",
    "PA": "palette with alpha", "CMYK": "CMYK", "YCbCr": "YCbCr", "I;16": "grey of 16 bits", "I;16B": "grey of 16 bits",
    "I": "grey of 32 bits", "F": "grey of floats",
}  # fmt: skip
_LONGEST = 300
"""Letters of a text that is shown."""


@dataclass(frozen=True)
class Look:
    """What was found."""

    samples: int
    labelled: bool = False
    classes: tuple[ClassCounted, ...] = ()
    counted: str = ""
    images: ImagesSeen | None = None
    shown: tuple[SampleShown, ...] = ()
    broken: int = 0
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Names of classes, where somebody says them."""


def look(dataset: Dataset, said: ExportNotes, say: Reporter, shown: int, picture: int) -> Look:
    """Look at `dataset.path`. `said`: what a model's exporter says of classes; `shown`: so many samples are told of, with a
    small picture of at most `picture` pixels a side (0: without).

    Raises:
        DataRefused: it is not there, empty, broken, or no dataset.
    """
    path = Path(dataset.path)
    if dataset.kind == "npz":
        return _arrays(path, dataset, shown)
    if dataset.kind == "text":
        return _texts(path, dataset, say, shown)
    labelled = dataset.task == dataset.kind
    if dataset.kind == "segmentation" and labelled:
        masked = find_masked(path, say)
        return _images(masked.files, [], shown, picture, labelled=True)
    if dataset.kind in ("detection", "keypoints") and labelled:
        found = find_annotated(path, dataset.classes, said.names, say, poses=dataset.kind == "keypoints")
        return _annotated(found, shown, picture)
    files = find_files(path, labelled=dataset.task == "classification", classes=dataset.classes)
    counts = [] if files.labels is None else _counted(files.labels, files.classes)
    return _images(files, counts, shown, picture, labelled=files.labels is not None, counted="samples")


def count(dataset: Dataset, path: Path, say: Reporter, names: Sequence[str] = ()) -> int:
    """How many samples a calibration set has. `names`: the classes of the set that it goes with, which it should have too.

    Raises:
        DataRefused: as `look`.
    """
    if dataset.kind == "npz":
        return next((each.shape[0] for name, each in members_of(path).items() if name != "labels"), 0)
    if dataset.kind == "text":
        return len(read_texts(path, dataset.classes, say, labelled=False))
    files = find_files(path, labelled=False)
    if names and dataset.kind == "image-folder":
        try:
            find_files(path, labelled=True, classes=names)
        except DataRefused as error:
            say.warn(f"to calibrate with: {error.what}")
    return len(files.names)


def _counted(labels: NDArray[np.int64], names: Sequence[str]) -> list[ClassCounted]:
    many = np.bincount(labels, minlength=len(names)).tolist()
    return [ClassCounted(name=names[n] if n < len(names) else str(n), count=each) for n, each in enumerate(many)]


# images


TABLES = (".csv", ".tsv")
"""Of which people expect that labels are read from them."""


def _images(
    files: ImageFiles,
    classes: Sequence[ClassCounted],
    shown: int,
    picture: int,
    *,
    labelled: bool,
    counted: str = "",
) -> Look:
    total = len(files.names)
    most = FEW_LOOKED if files.mean_bytes > LARGE_BYTES else MOST_LOOKED
    spread = np.unique(np.linspace(0, total - 1, min(total, most)).round().astype(int)).tolist()
    sizes: list[tuple[int, int]] = []
    colors: Counter[str] = Counter()
    broken: list[SampleShown] = []
    for name, data in files.read(spread):
        head = _head(data)
        if isinstance(head, str):
            broken.append(SampleShown(name=name, broken=head))
        else:
            sizes.append(head[0])
            colors[head[1]] += 1
    if not sizes:
        raise DataRefused(
            f"none of {len(spread)} images that were looked into can be read ({broken[0].name}: {broken[0].broken})",
            fix="check the files",
        )
    seen = ImagesSeen(
        looked=len(spread),
        widths=(min(width for width, _ in sizes), max(width for width, _ in sizes)),
        heights=(min(height for _, height in sizes), max(height for _, height in sizes)),
        sizes=len(set(sizes)),
        colors=dict(colors.most_common()),
    )
    order = balanced_order(files.labels, total, 0)[:shown].tolist()
    samples = [
        _shown(files, number, name, data, picture) for number, (name, data) in zip(order, files.read(order), strict=True)
    ]
    return Look(
        samples=total,
        labelled=labelled,
        classes=tuple(classes),
        counted=counted if classes else "",
        images=seen,
        shown=(*samples, *[each for each in broken if each.name not in {known.name for known in samples}][: shown // 2]),
        broken=len(broken),
        notes=(
            *_outside_notes(files),
            *_color_notes(colors, len(sizes)),
            *_broken_notes(broken, len(spread)),
            *_class_notes(classes),
            *(() if labelled else _table_notes(files)),
        ),
        names=files.classes,
    )


def _head(data: bytes | OSError) -> tuple[tuple[int, int], str] | str:
    """Size and colours; or why it cannot be read."""
    if isinstance(data, OSError):
        return data.strerror or str(data)
    try:
        size, mode = head_of(data)
    except unreadable() as error:
        return why_unreadable(error)
    return size, _MODES.get(mode, mode)


def _shown(files: ImageFiles, number: int, name: str, data: bytes | OSError, picture: int) -> SampleShown:
    label = "" if files.labels is None else files.classes[files.labels[number]]
    head = _head(data)
    if isinstance(head, str) or isinstance(data, OSError):
        return SampleShown(name=name, label=label, broken=str(head))
    small, width = small_picture(data, picture) if picture else (b"", 0)
    facts = f"{head[0][0]} x {head[0][1]}  {head[1]}"
    return SampleShown(name=name, label=label, facts=facts, picture=small, picture_width=width)


def _outside_notes(files: ImageFiles) -> Iterable[str]:
    if files.store.outside:
        yield f"{files.store.outside} names lead out of the archive (../) and are passed over"


def _color_notes(colors: Counter[str], looked: int) -> Iterable[str]:
    if len(colors) > 1:
        mixed = ", ".join(f"{many} {name}" for name, many in colors.most_common())
        yield f"of {looked} images that could be read {mixed}: each is fed in the colours of the input"
    if alpha := sum(many for name, many in colors.items() if name.endswith("alpha")):
        yield f"{alpha} of {looked} have an alpha channel, which is dropped: what it hides is fed too"


def _broken_notes(broken: Sequence[SampleShown], looked: int) -> Iterable[str]:
    if broken:
        first = f"{broken[0].name}: {broken[0].broken}"
        yield f"{len(broken)} of {looked} images that were looked into cannot be read and are passed over ({first})"


def _table_notes(files: ImageFiles) -> Iterable[str]:
    beside = sorted(name for name in files.store.files() if suffix_of(name) in TABLES)
    if beside:
        named = readable_name(beside[0]) + (f" and {len(beside) - 1} more" if len(beside) > 1 else "")
        yield f"{named} lies beside the images and is not read: labels are folders of classes, or `labels` in an .npz"


def _class_notes(classes: Sequence[ClassCounted]) -> Iterable[str]:
    if empty := [each.name for each in classes if not each.count]:
        named = ", ".join(empty[:3]) + (", ..." if len(empty) > 3 else "")
        yield f"{len(empty)} of {len(classes)} classes have no sample ({named})"


def _annotated(found: AnnotatedFiles, shown: int, picture: int) -> Look:
    """Images with boxes or poses: classes are counted in those."""
    labels: Counter[int] = Counter()
    broken = [each for each in found.images if isinstance(each, str)]
    for each in found.images:
        if not isinstance(each, str):
            labels.update((each.truth if each.poses is None else each.poses).classes.tolist())
    many = max(len(found.classes), max(labels, default=-1) + 1)
    names = [found.classes[n] if n < len(found.classes) else str(n) for n in range(many)]
    classes = [ClassCounted(name=name, count=labels[n]) for n, name in enumerate(names)]
    kind = "boxes" if found.points is None else f"poses of {found.points} keypoints"
    seen = _images(found.files, classes, shown, picture, labelled=True, counted=kind)
    notes = (f"{len(broken)} annotations cannot be read ({broken[0]})",) if broken else ()
    return replace(seen, notes=(*seen.notes, *notes), names=found.classes)


# arrays and texts


def _arrays(path: Path, dataset: Dataset, shown: int) -> Look:
    arrays = members_of(path)
    labels = arrays.pop("labels", None) if dataset.task != "none" else None
    if not arrays:
        raise DataRefused(f"{path} is empty: no array in it", fix="save one array for each input of the model")
    total = min(each.shape[0] for each in arrays.values())
    if not total:
        raise DataRefused(f"{path} is empty", fix="save one row for each sample")
    known = class_labels(path, labels, total) if labels is not None and dataset.task != "regression" else None
    classes = [] if known is None or known.max() > MOST_CLASSES else _counted(known, dataset.classes)
    facts = ", ".join(f"{name} {each.dtype} {list(each.shape[1:])}" for name, each in arrays.items())
    samples = tuple(
        SampleShown(name=f"sample {number}", label=_label(known, number, dataset.classes), facts=facts)
        for number in balanced_order(known, total, 0)[:shown].tolist()
    )
    return Look(
        samples=total,
        labelled=labels is not None,
        classes=tuple(classes),
        counted="samples" if classes else "",
        shown=samples,
        notes=tuple(_class_notes(classes)),
    )


def _label(known: NDArray[np.int64] | None, number: int, names: Sequence[str]) -> str:
    if known is None:
        return ""
    label = int(known[number])
    return names[label] if 0 <= label < len(names) else str(label)


def _texts(path: Path, dataset: Dataset, say: Reporter, shown: int) -> Look:
    lines = read_texts(path, dataset.classes, say, labelled=dataset.task != "none")
    labels = np.array([line.label for line in lines], np.int64)
    labelled = bool((labels >= 0).all())
    classes = _counted(labels, dataset.classes) if labelled and labels.max() <= MOST_CLASSES else []
    order = balanced_order(labels if labelled else None, len(lines), 0)[:shown].tolist()
    samples = tuple(
        SampleShown(
            name=f"line {lines[number].line}",
            label=_label(labels if labelled else None, number, dataset.classes),
            facts=lines[number].text[:_LONGEST],
        )
        for number in order
    )
    return Look(
        samples=len(lines),
        labelled=labelled,
        classes=tuple(classes),
        counted="samples" if classes else "",
        shown=samples,
        notes=tuple(_class_notes(classes)),
    )
