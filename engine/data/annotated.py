"""Images and the boxes in them: files paired with their annotations, classes numbered as the model's outputs are.

Apart from `detection_images.py`, which makes inputs of the images. What cannot be used is left out, counted and named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import DataRefused
from ..library.annotated_images import AnnotationForm, annotation_forms, pair_key
from ..system.reporter import Reporter
from ..tasks.boxes import TrueBoxes
from ..tasks.poses import TruePoses
from .annotation import BoxFaults, ImageAnnotation, true_boxes, true_poses, unmarked, with_points
from .coco import LARGEST_BYTES, CocoSet, read_coco
from .folders import ImageFiles, Store, images_in, open_store, readable_name
from .voc import read_voc
from .yolo_text import class_names, pose_shape, read_yolo, read_yolo_poses

_READERS: dict[AnnotationForm, Callable[[bytes], ImageAnnotation]] = {"VOC XML": read_voc, "YOLO text files": read_yolo}
_NAME_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "labels.txt")
_NO_ANNOTATIONS = frozenset([*_NAME_FILES, "readme.txt", "readme.dataset.txt", "readme.roboflow.txt"])
_LISTS = frozenset(["train.txt", "val.txt", "test.txt"])
_NAMED = 3
_LONGEST_NAME = 60
_MOST_POINTS = 1000
"""Keypoints of a pose: of a face 478 are told, and each pose is held against each other."""


@dataclass(frozen=True)
class AnnotatedImage:
    """What is known of an image before it is read."""

    truth: TrueBoxes
    poses: TruePoses | None
    """Where poses are asked for; `truth` is empty then."""
    size: tuple[int, int] | None
    """Width and height that were annotated; None: not said."""
    shares: bool
    """Places are shares of them."""


@dataclass(frozen=True)
class AnnotatedFiles:
    """Image files in a fixed order, and what is in each."""

    files: ImageFiles
    images: tuple[AnnotatedImage | str, ...]
    """Or why its annotation cannot be read."""
    classes: tuple[str, ...]
    """All that the model tells apart, in the order of its outputs; empty: nobody says how many there are."""
    points: int | None = None
    """Keypoints of a pose; None: no poses were asked for."""


def find_annotated(
    path: Path, classes: Sequence[str], said: Sequence[str], say: Reporter, *, poses: bool = False
) -> AnnotatedFiles:
    """All images below `path` that are annotated.

    classes: as the dataset's file has them, in the order of the model's outputs; said: as the model's metadata have them.
    Without both they are numbered as the annotations do it: COCO's by id, YOLO's as they are, VOC's in the order of the
    alphabet. `poses`: keypoints are wanted, not boxes.

    Raises:
        DataRefused: no images, no annotations, those of two formats, no class of theirs is one of the model's, or no keypoints.
    """
    store = open_store(path)
    sizes = images_in(store, path)
    form, documents = _the_form(path, annotation_forms(store.files()))
    own: Sequence[str]
    if form == "COCO JSON":
        coco = _the_document(path, store, documents, sizes)
        found, own = _paired_by_name(path, coco, sizes, say), coco.classes
    else:
        reader = _reader(path, store, form, say, poses=poses)
        found = _paired_beside(path, store, form, documents, sizes, reader, say)
        own = _named_in(store) if form == "YOLO text files" else ()
    numbers, known = _numbers(path, form, (*classes,) or (*said,), own, found, say)
    points = _points_of(path, found) if poses else None
    faults, images = BoxFaults(), []
    for name, each in found.items():
        shown = readable_name(name)
        images.append(each if isinstance(each, str) else _image(each, shown, numbers, faults, points))
    _say_faults(path, faults, known, say, "pose" if poses else "box")
    mean_bytes = sum(sizes[name] for name in found) / max(len(found), 1)
    return AnnotatedFiles(ImageFiles(store, tuple(found), None, known, mean_bytes), tuple(images), known, points)


def _image(
    said: ImageAnnotation, name: str, numbers: Mapping[str, int], faults: BoxFaults, points: int | None
) -> AnnotatedImage:
    if points is None:
        return AnnotatedImage(true_boxes(said, name, numbers, faults), None, said.size, said.shares)
    poses = true_poses(with_points(said, points), name, numbers, faults)
    return AnnotatedImage(true_boxes(unmarked(said.size), name, {}, faults), poses, said.size, said.shares)


def _points_of(path: Path, found: Mapping[str, ImageAnnotation | str]) -> int:
    """How many keypoints a pose has.

    Raises:
        DataRefused: none, or not each as many.
    """
    told = [each for each in found.values() if not isinstance(each, str) and each.names]
    many = {0 if each.points is None else each.points.shape[1] for each in told}
    if len(many) == 1 and (points := many.pop()):
        if points > _MOST_POINTS:
            raise DataRefused(
                f"the annotations in {path} hold poses of {points} keypoints; up to {_MOST_POINTS} are read",
                fix="check that they are keypoints and no outlines",
            )
        return points
    what = "no keypoints" if not many - {0} else "poses of different numbers of keypoints"
    raise DataRefused(
        f"the annotations in {path} hold {what}",
        fix='give COCO keypoints or YOLO text files with them, or write kind = "detection" to use the boxes alone',
    )


def _the_form(path: Path, forms: Mapping[AnnotationForm, list[str]]) -> tuple[AnnotationForm, list[str]]:
    if not forms:
        raise DataRefused(
            f"{path} has images, and nothing says what is in them",
            fix="put annotations beside them: VOC XML, YOLO text files or a COCO JSON document",
        )
    if len(forms) > 1:
        several = " and ".join(f"{form} ({len(names)})" for form, names in forms.items())
        raise DataRefused(f"{path} holds {several}, which may contradict each other", fix="leave one kind in it")
    return next(iter(forms.items()))


def _reader(
    path: Path, store: Store, form: AnnotationForm, say: Reporter, *, poses: bool
) -> Callable[[bytes], ImageAnnotation]:
    """How the file beside each image is read; `poses`: for its keypoints.

    Raises:
        DataRefused: keypoints are wanted, and the format has none, or nobody says how many there are.
    """
    if form != "YOLO text files":
        if poses:
            raise DataRefused(f"{path} holds {form}, which has no keypoints", fix="give COCO JSON or YOLO text files")
        return _READERS[form]
    shape = _said_shape(store)
    if shape is not None:  # its lines are as long as outlines of segments, and none
        if not poses:
            say.note(f'{path.name}: its keypoints are left aside; a TOML file with kind = "keypoints" uses them')
        return partial(read_yolo_poses, shape=shape)
    if poses:
        raise DataRefused(
            f"nothing in {path} says how many keypoints a line has", fix="put its data.yaml with `kpt_shape: [17, 3]` beside it"
        )
    return _READERS[form]


def _said_shape(store: Store) -> tuple[int, int] | None:
    """Keypoints, and numbers of each, as a `data.yaml` says it."""
    for name in sorted(store.files()):
        if name.lower().endswith((".yaml", ".yml")):
            try:
                shape = pose_shape(store.read(name))
            except OSError:
                continue
            if shape is not None:
                return shape
    return None


def _the_document(path: Path, store: Store, documents: Sequence[str], images: Mapping[str, int]) -> CocoSet:
    """The one COCO document that speaks of these images."""
    sizes, stems = store.files(), {name.rpartition("/")[2] for name in images}
    fitting, why = [], []
    for name in sorted(documents):
        if sizes[name] > LARGEST_BYTES:
            raise DataRefused(
                f"{name} in {path} takes {-(-sizes[name] // 1_000_000)} MB; up to {LARGEST_BYTES / 1e6:.0f} MB are read",
                fix="keep the images that are evaluated, and theirs alone of the annotations",
            )
        try:
            document = read_coco(store.read(name))
        except (OSError, ValueError) as error:
            why.append(f"{name}: {error}")
            continue
        if any(file.rpartition("/")[2] in stems for file in document.images):
            fitting.append((name, document))
    if len(fitting) > 1:
        names = ", ".join(name for name, _ in fitting)
        raise DataRefused(f"{path} holds several documents for the same images ({names})", fix="leave one of them in it")
    if not fitting:
        told = why[0] if why else f"{', '.join(documents)} names none of the images"
        raise DataRefused(f"{path} holds no COCO document for its images ({told})", fix="put it beside its images")
    return fitting[0][1]


def _paired_by_name(path: Path, coco: CocoSet, images: Mapping[str, int], say: Reporter) -> dict[str, ImageAnnotation | str]:
    """By `file_name`: as it stands behind any folder, or by its last part where only one image has that."""
    by_end: dict[str, list[str]] = {}
    for name in sorted(images):
        by_end.setdefault(name.rpartition("/")[2], []).append(name)
    found: dict[str, ImageAnnotation | str] = {}
    missing = []
    for file, said in coco.images.items():
        alike = by_end.get(file.rpartition("/")[2], [])
        exact = [name for name in alike if name == file or name.endswith(f"/{file}")]
        if len(exact or alike) == 1:
            found[(exact or alike)[0]] = said
        else:
            missing.append(file)
    _warn_of(say, path, missing, "annotated and not there", "images are", "image is")
    if coco.orphans:
        say.warn(f"{path.name}: {coco.orphans} boxes are of images that the document does not list")
    _warn_of(say, path, [name for name in images if name not in found], "not annotated and left out", "images are", "image is")
    return dict(sorted(found.items()))


def _paired_beside(
    path: Path,
    store: Store,
    form: AnnotationForm,
    documents: Sequence[str],
    images: Mapping[str, int],
    reader: Callable[[bytes], ImageAnnotation],
    say: Reporter,
) -> dict[str, ImageAnnotation | str]:
    """A file for each image, of the same name, in the same or in a neighbouring folder."""
    ends = {name: name.rpartition("/")[2].lower() for name in documents}
    beside = {pair_key(name): name for name in sorted(documents) if ends[name] not in _NO_ANNOTATIONS}
    by_stem: dict[str, list[str]] = {}
    for key in beside:
        by_stem.setdefault(key.rpartition("/")[2], []).append(key)
    stems = [pair_key(name).rpartition("/")[2] for name in images]
    alone = {stem for stem in stems if stems.count(stem) == 1} if len(stems) < 1000 else _once(stems)
    found: dict[str, ImageAnnotation | str] = {}
    used, without = set(), []
    for name in sorted(images):
        key = pair_key(name)
        stem = key.rpartition("/")[2]
        near = key if key in beside else by_stem[stem][0] if stem in alone and len(by_stem.get(stem, ())) == 1 else None
        if near is not None:
            used.add(near)
            found[name] = _read(store, beside[near], reader)
        elif form == "YOLO text files":
            found[name] = unmarked()
        else:
            without.append(name)
    if nothing := len(images) - len(used) - len(without):
        say.note(f"{path.name}: {nothing} images have no text file, so there is nothing in them")
    _warn_of(say, path, without, "not annotated and left out", "images are", "image is")
    left = [beside[key] for key in beside if key not in used and ends[beside[key]] not in _LISTS]
    _warn_of(say, path, left, "of images that are not there", "annotations are", "annotation is")
    return found


def _once(stems: Sequence[str]) -> set[str]:
    seen: dict[str, int] = {}
    for stem in stems:
        seen[stem] = seen.get(stem, 0) + 1
    return {stem for stem, times in seen.items() if times == 1}


def _read(store: Store, name: str, reader: Callable[[bytes], ImageAnnotation]) -> ImageAnnotation | str:
    try:
        return reader(store.read(name))
    except (OSError, ValueError) as error:
        return f"its annotation {readable_name(name.rpartition('/')[2])} cannot be read: {error}"


def _named_in(store: Store) -> tuple[str, ...]:
    """Classes of a YOLO set, where a file beside the images names them."""
    by_end = {name.rpartition("/")[2].lower(): name for name in sorted(store.files(), reverse=True)}
    for end in _NAME_FILES:
        if end in by_end:
            try:
                names = class_names(store.read(by_end[end]))
            except OSError:
                continue
            if names:
                return names
    return ()


def _numbers(
    path: Path,
    form: AnnotationForm,
    wanted: Sequence[str],
    own: Sequence[str],
    found: Mapping[str, ImageAnnotation | str],
    say: Reporter,
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Each class as it is written to its number among the model's outputs; and the names of all of those."""
    written = {label for each in found.values() if not isinstance(each, str) for label in each.names}
    if form == "YOLO text files":
        if not wanted and not own:
            return {label: int(label) for label in written if int(label) >= 0}, ()
        names = tuple(own or wanted)
        called = {str(number): name for number, name in enumerate(names)}
    else:
        names = tuple(own) or tuple(sorted(written))
        called = {name: name for name in written}
    if not wanted and not own:
        say.warn(
            f"nothing says in which order the model has the classes of {path.name}: {_some(names)} is assumed; "
            "`classes` in a dataset's TOML file says it"
        )
    known = tuple(wanted) or names
    exact = {name: number for number, name in reversed(list(enumerate(known)))}
    alike = {name.casefold(): number for name, number in reversed(list(exact.items()))}
    numbers = {label: exact.get(name, alike.get(name.casefold(), -1)) for label, name in called.items() if label in written}
    return {label: number for label, number in numbers.items() if number >= 0}, known


def _say_faults(path: Path, faults: BoxFaults, known: Sequence[str], say: Reporter, what: str) -> None:
    """Each `what` that is passed over.

    Raises:
        DataRefused: none is left.
    """
    many = {"box": "boxes", "pose": "poses"}[what]
    if not faults.kept:
        if faults.unknown:
            raise DataRefused(
                f"no class in {path.name} ({_some(dict(faults.unknown.most_common()))}) is one of the model's ({_some(known)})",
                fix="write `classes` into the dataset's TOML file, in the order of the model's outputs and as the annotations "
                "call them",
            )
        raise DataRefused(
            f"there is no {what} in {path}{': ' + faults.words() if faults.counts else ''}", fix="check its annotations"
        )
    if faults.counts:
        named = f"; not the model's: {_some(dict(faults.unknown.most_common()))}" if faults.unknown else ""
        say.warn(f"{path.name}: {many} are passed over: {faults.words()}{named}")
    if faults.cut:
        say.note(f"{path.name}: {faults.cut} boxes reach past their image and are cut at its border")


def _some(names: Iterable[str], most: int = 5) -> str:
    """The first few, each in a line and not without end."""
    listed = list(names)
    return ", ".join(" ".join(name.split())[:_LONGEST_NAME] for name in listed[:most]) + (", ..." if len(listed) > most else "")


def _warn_of(say: Reporter, path: Path, names: Sequence[str], what: str, many: str, one: str) -> None:
    if names:
        shown = _some((readable_name(name.rpartition("/")[2]) for name in sorted(names)), _NAMED)
        say.warn(f"{path.name}: {len(names)} {one if len(names) == 1 else many} {what} ({shown})")
