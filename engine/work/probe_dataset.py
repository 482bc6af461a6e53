"""A dataset beside a model: what of it fits, and which of the usual ways to feed images gives the best accuracy.

Apart from `data/dataset_look.py`, which knows no model, and from `accuracy_check.py`, which doubts a run's data: this proposes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import structs

from ..backends.base import Session
from ..backends.cards import open_backend
from ..data.dataset_look import Look, count, look
from ..data.images import pixel_recipe
from ..data.open import open_samples
from ..data.other_preprocessing import NamedInput, other_way, usual_inputs
from ..data.samples import Samples
from ..errors import EdgetuiError
from ..graph.load import parse
from ..graph.shapes import facts, input_shapes
from ..graph.vocabulary import vocabularies_of
from ..graph.walk import real_inputs
from ..measure.accuracy import AccuracyMeter, output_class_count
from ..measure.plausible import guessing, in_another_order, near_guessing
from ..measure.statistics import agreement, mcnemar_p
from ..runs.queries import DatasetQuestion
from ..schema.dataset_probe import DatasetProbe, InputTried, ModelSide
from ..schema.model_facts import TensorFacts
from ..schema.settings import BackendSettings
from ..schema.spec import Dataset, ImageInput, RunSpec
from ..schema.steps import Recipe
from ..system.reporter import NullReporter, Reporter
from ..tasks.exporter import ExportNotes, export_notes
from .accuracy_check import order_words, told_of
from .splits import refuse_unfit

BUDGET_S = 12.0
"""Of inferences, in which as many samples are tried in every way as it allows."""
MOST, LEAST = 300, 32
"""Samples a way, whatever they take."""
FIRST = 8
"""Samples that tell how long one takes."""
LEVEL = 0.05
_SEED = 0


class _Fitting(NamedTuple):
    """A model that the data fit, and what is fed into it."""

    dataset: Dataset
    inputs: Sequence[TensorFacts]
    shapes: dict[str, tuple[int, ...]]
    notes: ExportNotes


def probe_dataset(home: Path, question: DatasetQuestion, say: Reporter) -> DatasetProbe:
    """All that can be told of a dataset, alone or beside a model.

    Raises:
        DataRefused: it is missing, empty, broken, or no dataset.
        ModelRefused: the model cannot be read.
    """
    dataset, heard = question.dataset, NullReporter()
    said = export_notes(Path(question.model)) if question.model else ExportNotes()
    seen = look(dataset, said, heard, question.shown, question.picture)
    found = DatasetProbe(
        dataset=dataset,
        samples=seen.samples,
        calibration_samples=count(dataset, Path(dataset.calibration), heard, seen.names) if dataset.calibration else None,
        labelled=seen.labelled,
        classes=seen.classes,
        counted=seen.counted,
        images=seen.images,
        broken=seen.broken,
        shown=seen.shown,
    )
    if question.model:
        found = _beside_model(home, found, question, said, heard, say)
    notes = dict.fromkeys((*heard.warnings, *heard.notes, *seen.notes, *_size_notes(seen, found), *found.notes))
    return structs.replace(found, notes=tuple(notes))


def _size_notes(seen: Look, found: DatasetProbe) -> list[str]:
    """What becomes of the images' shape."""
    size, images = found.dataset.input.size, seen.images
    if size is None or images is None or found.dataset.input.letterbox:
        return []
    (low, high), (short, tall) = images.widths, images.heights
    if all(width * size[1] == height * size[0] for width, height in ((low, short), (high, tall))):
        return []
    return [f"images are stretched to {size[0]} x {size[1]}; `letterbox = true` keeps their shape, for models trained so"]


def _beside_model(
    home: Path, found: DatasetProbe, question: DatasetQuestion, said: ExportNotes, heard: NullReporter, say: Reporter
) -> DatasetProbe:
    model = parse(Path(question.model))
    names = real_inputs(model.graph)
    inputs = [facts(value) for value in model.graph.input if value.name in names]
    outputs = [facts(value) for value in model.graph.output]
    side = ModelSide(path=question.model, input=_input_words(inputs), classes=output_class_count(outputs))
    found = structs.replace(found, model=side)
    try:
        shapes = input_shapes(model, question.shapes)
        dataset, channels, whole = _settled(found.dataset, inputs, shapes, said)
        spec = RunSpec(model=question.model, recipe=Recipe(), dataset=dataset, shapes=dict(question.shapes))
        refuse_unfit(spec, inputs, shapes, heard, outputs)
    except EdgetuiError as error:
        return structs.replace(found, refusals=(error.refusal,))
    known = dataset.input
    # colours are for what is shown to be best
    how = structs.replace(found.dataset.input, size=known.size, layout=known.layout, letterbox=known.letterbox)
    found = structs.replace(found, dataset=structs.replace(found.dataset, input=how))
    ways = usual_inputs(dataset.input, channels, whole=whole) if channels else []
    return _tried(home, found, question, _Fitting(dataset, inputs, shapes, said), ways, say)


def _input_words(inputs: Sequence[TensorFacts]) -> str:
    told = [f"{each.name} {each.dtype} [{', '.join('?' if n is None else str(n) for n in each.shape)}]" for each in inputs]
    return "  ".join(told)


def _settled(
    dataset: Dataset, inputs: Sequence[TensorFacts], shapes: dict[str, tuple[int, ...]], said: ExportNotes
) -> tuple[Dataset, int, bool]:
    """The dataset with all of its input said that the model's shape and exporter say; how many channels that has (0: it is made
    of no images), and whether it takes whole pixels.

    Raises:
        DataRefused: images do not fit the model.
    """
    if not dataset.images:
        return dataset, 0, False
    recipe = pixel_recipe(dataset.input, inputs, shapes, said)
    how = structs.replace(dataset.input, size=recipe.size, layout=recipe.layout, color=recipe.color)
    if recipe.letterbox:
        how = structs.replace(how, letterbox=True)
    return structs.replace(dataset, input=how), len(recipe.gain), recipe.whole


def _tried(
    home: Path, found: DatasetProbe, question: DatasetQuestion, fit: _Fitting, ways: Sequence[NamedInput], say: Reporter
) -> DatasetProbe:
    heard = NullReporter()  # what was to be said of the data was said when they were held against the model
    how = fit.dataset.input
    plain = structs.replace(how, color="GRAY" if how.color == "GRAY" else "RGB", scale=1.0, mean=(), std=())
    known = vocabularies_of(Path(question.model)) if any(each.dtype.startswith("int") for each in fit.inputs) else {}
    raw = structs.replace(fit.dataset, input=plain) if ways else fit.dataset
    samples = open_samples(raw, fit.inputs, fit.shapes, "all", _SEED, heard, fit.notes, known)
    if why := _why_untried(samples):
        return structs.replace(found, untried=why)
    try:
        session = open_backend(BackendSettings(), home).load(Path(question.model), BackendSettings())
    except EdgetuiError as error:
        return structs.replace(found, untried=f"the model cannot be run here: {error}")
    try:
        batch = next(iter(fit.shapes.values()))[0]
        said = how if question.dataset.input != ImageInput() else None
        return _Trial(session, samples, batch, question.samples, say).over(found, ways, said)
    except EdgetuiError as error:
        return structs.replace(found, refusals=(error.refusal,))
    finally:
        session.close()


def _why_untried(samples: Samples) -> str:
    if not samples.truth:
        return "there are no labels that the model's outputs could be held against"
    if not samples.labels:
        return f"how well {samples.truth} are told is for a run; here classes of samples alone are held against the model's"
    return ""


class _Trial:
    """One model over some samples, fed in several ways."""

    def __init__(self, session: Session, samples: Samples, batch: int, most: int, say: Reporter) -> None:
        """`most`: samples a way; 0: as many as `BUDGET_S` allows."""
        self._session, self._samples, self._batch, self._most, self._say = session, samples, batch, most, say
        self._done = self._total = 0

    def over(self, found: DatasetProbe, ways: Sequence[NamedInput], said: ImageInput | None) -> DatasetProbe:
        """The probe with what was found. `said`: a way that somebody has written down, which another has to be shown to beat.

        Raises:
            DataRefused: no output tells the classes, or no sample can be read.
        """
        several = len(ways) > 1 and len(self._samples) >= 4 * LEAST
        choosing = self._samples.half(0) if several else self._samples
        looks = max(len(ways), 1) + several  # arrays are fed in one way, as they are
        n = min(self._most or self._affordable(looks), len(choosing))
        self._total = n * looks
        if not ways:
            meter = self._told(self._samples.take(n), None)
            tried = (_row("as they are", None, meter, meter),)
            return self._with(structs.replace(found, tried=tried), meter)
        meters = [(way, self._told(choosing.take(n), way.input)) for way in ways]
        meters.sort(key=lambda pair: -int(pair[1].right().sum()))
        own = next((pair for pair in meters if pair[0].input == said), None)
        if own is not None and _p(meters[0][1], own[1]) >= LEVEL:
            meters = [own, *(pair for pair in meters if pair is not own)]
        best, meter = meters[0]
        found = structs.replace(found, tried=tuple(_row(way.name, way.input, each, meter) for way, each in meters))
        if several:
            meter = self._told(self._samples.half(1).take(n), best.input)
            found = structs.replace(found, confirmed=_row(best.name, best.input, meter, meter))
        return self._with(found, meter, best.input)

    def _with(self, found: DatasetProbe, meter: AccuracyMeter, best: ImageInput | None = None) -> DatasetProbe:
        """With what `meter`, of the best way, says."""
        chance = guessing(meter.true, meter.predicted)
        low = agreement(meter.right().astype(np.float64), _SEED)[1]
        above = low > chance and not near_guessing(meter.true, meter.predicted)
        order = in_another_order(meter.true, meter.predicted)
        dataset = structs.replace(found.dataset, input=best) if best is not None and above else found.dataset
        return structs.replace(
            found,
            dataset=dataset,
            chance=chance,
            above_chance=above,
            broken=max(found.broken, len(self._samples.skipped)),
            notes=() if order is None else (order_words(order, self._samples.classes),),
        )

    def _affordable(self, looks: int) -> int:
        """Samples a look."""
        self._told(self._samples.take(FIRST), None)  # the first inferences set up what later ones have
        start = time.monotonic()
        self._told(self._samples.take(FIRST), None)
        each_s = (time.monotonic() - start) / FIRST
        return int(min(max(BUDGET_S / (each_s * looks), LEAST), MOST))

    def _told(self, samples: Samples, how: ImageInput | None) -> AccuracyMeter:
        pixels = samples.pixels
        way = other_way(pixels, how) if pixels is not None and how is not None else None
        meter = told_of(self._session, samples, self._batch, way)
        self._done += len(meter.true)
        self._say.progress(min(self._done, self._total), self._total, "samples")
        return meter


def _row(name: str, how: ImageInput | None, meter: AccuracyMeter, best: AccuracyMeter) -> InputTried:
    value, low, high = agreement(meter.right().astype(np.float64), _SEED)
    p = None if meter is best else _p(best, meter)
    return InputTried(name=name, input=how, n=len(meter.true), top1=value, top1_low=low, top1_high=high, p=p)


def _p(one: AccuracyMeter, other: AccuracyMeter) -> float:
    """How likely so large a difference is by chance, over the same samples."""
    a, b = one.right(), other.right()
    return mcnemar_p(int((a & ~b).sum()), int((b & ~a).sum()))
