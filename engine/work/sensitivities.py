"""How far outputs move when one unit is changed alone, or a setting is swept: what `edgetui sensitivity` asks. Part of the
pipeline.

Rows are kept as they are found, so that whoever is ended goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
from onnx import ModelProto

from ..backends.card import Card
from ..backends.cards import CARDS, open_backend
from ..compress.grouped_channels import GroupedChannels
from ..compress.kept_samples import KeptSamples, kept_samples
from ..compress.lower import lowered
from ..compress.one_unit import alone, leaves_wishes, sparing, with_moved_ranges
from ..compress.unit_signature import signatures
from ..compress.units import ModelUnit, others, units_of
from ..errors import DataRefused, EdgetuiError, Fix, ModelRefused, RecipeRefused
from ..graph import weight_counts
from ..graph.computable_part import computable_file
from ..graph.load import load
from ..graph.normalise import normalise
from ..graph.walk import label
from ..graph.weights import weights
from ..inspection.inspect import inspect
from ..library.models import open_axes
from ..measure.inputs import random_inputs
from ..measure.knee import knee
from ..runs.kept_rows import KeptLine, KeptRows
from ..runs.queries import SensitivityQuestion
from ..schema.channel_table import ChannelGroup
from ..schema.model_facts import ModelFacts
from ..schema.pruning_steps import PruneChannels
from ..schema.sensitivity import GROUPS, UNITS, Sensitivity, SensitivityRow, WeightHistogram
from ..schema.step import Step
from ..schema.steps import changed
from ..system.heap import give_back_large_blocks
from ..system.reporter import NullReporter, Reporter
from ..tasks.exporter import export_notes
from .apply_step import call_step
from .forward_passes import ForwardPasses, singles
from .splits import open_part

if TYPE_CHECKING:
    from ..compress.observe import Feeds
    from ..data.samples import Samples

MADE_UP = "inputs are made up (normal noise): what they say of real ones is not known"
_FIGURES = ("kl", "agreement", "sqnr_db", "local_sqnr_db", "offset_rate", "offset_rate_abs", "left_out")

Tell = Callable[[SensitivityRow], None]


def sensitivity(home: Path, question: SensitivityQuestion, say: Reporter, tell: Tell) -> Sensitivity:
    """Go through all units of a model, or all values of a setting; `tell` hears each row, those that were kept first.

    Raises:
        ModelRefused: the model cannot be read or run, or has nothing that the step changes.
        DataRefused: there are no samples, or they do not fit the model.
        RecipeRefused: the step cannot be done to a unit alone, or has no such setting.
    """
    kept = KeptRows(home, question.key)
    known = kept.read()
    if known is not None and known.state == "done":
        return known
    give_back_large_blocks()
    with _Study.opened(home, question, say) as study:
        begun = study.document()
        kept.add(KeptLine(begin=begun))
        rows = {row.key: row for row in (known.rows if known else ())}
        tasks = study.tasks()
        for place, (key, make) in enumerate(tasks):
            say.progress(place, len(tasks), "units" if question.over == UNITS else "values")
            if key not in rows:
                rows[key] = make()
                kept.add(KeptLine(row=rows[key]))
            tell(rows[key])
        say.progress(len(tasks), len(tasks), "units" if question.over == UNITS else "values")
        found = study.whole(begun, tuple(rows[key] for key, _ in tasks))
    kept.add(KeptLine(end=found))
    return found


class _Study:
    """One question about one model: the model in its plain form, its samples, and the step."""

    def __init__(self, question: SensitivityQuestion, source: Path, near: Path, samples: KeptSamples, say: Reporter) -> None:
        self._question, self._source, self._near, self._samples, self._say = question, source, near, samples, say
        (self._step,) = question.spec.recipe.active
        self._model = load(source)
        self.data = ""
        self.shapes: Mapping[str, tuple[int, ...]] = {}
        self._target = ""
        self._groups: GroupedChannels | None = None
        self._signatures: dict[str, str] = {}
        self._done: ModelProto | None = None
        """The model with the wishes of the step for all of it; None: the step changes values, unit by unit."""

    @classmethod
    @contextmanager
    def opened(cls, home: Path, question: SensitivityQuestion, say: Reporter) -> Iterator[_Study]:
        """All that is needed before the first row, in a folder that goes again."""
        spec = question.spec
        (step,) = spec.recipe.active
        _refuse_step(step, question.over)
        path = Path(spec.model)
        facts = inspect(path, spec.shapes)
        if facts.open_axes:
            raise open_axes(facts)
        shown = None if question.made_up else open_part(spec, "calibration", facts.inputs, facts.shapes, say)
        if shown is None and not question.made_up:
            raise DataRefused(
                "there are no samples to run the model on",
                fix=(Fix("choose some: {}", "calibration"), Fix("{}", "dataset"), Fix("{}, for made-up inputs", "random")),
            )
        with ExitStack() as stack:
            near = Path(stack.enter_context(TemporaryDirectory(prefix="edgetui-")))
            plain = near / "plain.onnx"
            normalise(path, plain, facts.shapes, say)
            source, cut = stack.enter_context(computable_file(plain, near))
            if cut.foreign:
                say.warn(cut.words())
            batch = next((shape[0] for shape in facts.shapes.values() if shape), 1)
            feeds, most = _feeds(facts, shown, question, max(batch, 1))
            samples = stack.enter_context(kept_samples(source, feeds, most, near))
            study = cls(question, source, near, samples, say)
            study.shapes = facts.shapes
            study.data = "" if shown is None else shown.source
            labelled = open_part(spec, "evaluation", facts.inputs, facts.shapes, say) if spec.dataset else None
            known = any(part is not None and part.labels for part in (shown, labelled)) or _says_classes(path, spec.dataset)
            study.begin(CARDS[spec.backend.name], home, known)
            yield study

    def begin(self, card: Card, home: Path, classes_known: bool) -> None:
        """Find the lowering, run the original once, and do a step that leaves wishes."""
        self._target = _lowering(card, home, self._question)
        notes = export_notes(Path(self._question.spec.model))
        self._passes = ForwardPasses(self._model, self._samples, notes, classes_known=classes_known)
        if self._question.made_up:
            self._say.warn(MADE_UP)
        if self._question.over == GROUPS:
            assert isinstance(self._step, PruneChannels)
            self._groups = GroupedChannels(self._step, self._source, self._samples, self._say)
        if self._question.over != UNITS:
            return
        done = self._do(self._step, "whole.onnx", self._say)
        if leaves_wishes(done):
            with_moved_ranges(done)
            self._done = done
        if self._step.arithmetic == "float16":
            self._say.warn("halves are emulated on this CPU: what nodes read, hold and give is rounded, their sums are not")

    def _do(self, step: Step, name: str, say: Reporter) -> ModelProto:
        """The model after a step, before it is lowered."""
        out = self._near / name
        one_by_one = (one for feeds in self._samples for one in (singles(feeds) if self._samples.batched else (feeds,)))
        given = None if step.need == "none" else islice(one_by_one, step.most_samples)
        call_step(step, self._source, out, given, say)
        return load(out)

    def document(self) -> Sensitivity:
        """What is known before the first row."""
        classes, question = self._passes.classes, self._question
        described = msgspec.to_builtins(self._step)
        for name in ("method", "on", question.over):
            described.pop(name, None)
        described = {
            name: tuple(f"{key}={share}" for key, share in value.items()) if isinstance(value, dict) else value
            for name, value in described.items()
        }
        return Sensitivity(
            model=question.spec.model,
            step=self._step.method,
            over=question.over,
            settings=described,
            lowering=self._target,
            state="unfinished",
            data=self.data,
            channels=None if self._groups is None else self._groups.table,
            samples=self._samples.count,
            ranked_by="kl" if classes.reads else "sqnr_db",
            warnings=tuple(self._say.warnings),
            reasons={} if classes.reads else {"kl": classes.why},
        )

    def tasks(self) -> list[tuple[tuple[str, float | None], Callable[[], SensitivityRow]]]:
        """Each row's key, and what makes it."""
        if self._groups is not None:
            shares = [(place, each, share) for place, each in enumerate(self._groups.table.groups) for share in each.shares[1:]]
            return [((each.name, share), lambda at=(place, each, share): self._of_share(*at)) for place, each, share in shares]  # type: ignore[misc]
        if self._question.over != UNITS:
            values = self._question.values or self._step.sweeps[self._question.over]
            return [(("", value), lambda value=value: self._swept(value)) for value in sorted(set(values))]  # type: ignore[misc]
        units = units_of(self._model)
        if not units:
            raise ModelRefused(
                "the model has no unit to change alone: no Conv, Gemm, MatMul or recurrent node", fix="check the model"
            )
        self._signatures = signatures(self._model, self.shapes, units)
        return [((unit.name, None), lambda n=n, unit=unit: self._of_unit(unit, n)) for n, unit in enumerate(units)]  # type: ignore[misc]

    def _of_unit(self, unit: ModelUnit, place: int) -> SensitivityRow:
        """The row of a unit that alone is changed; `place`: among all, in the model's order."""
        heads = tuple(dict.fromkeys(label(node) for node in unit.heads))
        row = SensitivityRow(
            unit=unit.name,
            place=place,
            format=_format(self._step),
            exclude=heads,
            nodes=unit.labels,
            signature=self._signatures[unit.name],
            weights=sum(weight.size for weight in unit.weights),
        )
        share: list[float | None] = []

        def make() -> ModelProto:
            model = self._with_alone(unit)
            share.append(self._zeros(model, set(heads)))
            return model

        try:
            found = self._passes.shift(make, unit.tensor)
        except (ModelRefused, RecipeRefused, DataRefused) as error:
            return msgspec.structs.replace(row, reasons=dict.fromkeys((*_FIGURES, "zeros"), f"stays as it is: {error.what}"))
        reasons = dict(found.reasons)
        if found.local_sqnr_db is None:
            reasons.setdefault("local_sqnr_db", "the changed graph has no such tensor of the same shape")
        return self._filled(row, msgspec.structs.replace(found, reasons=reasons), share[0])

    def _of_share(self, place: int, group: ChannelGroup, share: float) -> SensitivityRow:
        """The row of a group of channels without a share of it."""
        groups = self._groups
        assert groups is not None

        def make() -> ModelProto:
            return self._lowered(groups.with_share(group.name, share, self._near / "group.onnx"), "group.onnx")

        row = SensitivityRow(unit=group.name, place=place, format=_format(self._step), value=share, exclude=group.layers)
        return self._filled(row, self._passes.shift(make), None)

    def _with_alone(self, unit: ModelUnit) -> ModelProto:
        spared = others(self._model, unit.labels)
        if self._done is not None:
            return alone(self._done, self._source, spared, self._target, NullReporter())
        step = sparing(self._step, self._model, spared)
        return self._lowered(self._do(step, "unit.onnx", NullReporter()), "unit.onnx")

    def _lowered(self, model: ModelProto, name: str) -> ModelProto:
        return lowered(model, self._near / name, self._target, NullReporter())[0]

    def _swept(self, value: float) -> SensitivityRow:
        """The row of a value of the setting."""
        share: list[float | None] = []

        def make() -> ModelProto:
            model = self._lowered(self._do(self._at(value), "swept.onnx", NullReporter()), "swept.onnx")
            share.append(self._zeros(model, None))
            return model

        row = SensitivityRow(format=_format(self._step), value=value, weights=sum(each.size for each in weights(self._model)))
        found = self._passes.shift(make)
        why = {"local_sqnr_db": "the whole model was changed"}
        return self._filled(row, msgspec.structs.replace(found, reasons=found.reasons | why), share[0])

    def _at(self, value: float) -> Step:
        """The step at a value of the setting.

        Raises:
            RecipeRefused: it cannot be so.
        """
        try:
            return changed(self._step, self._question.over, value)
        except msgspec.ValidationError as error:
            raise RecipeRefused(f"`{self._question.over}` of {self._step.method} cannot be {value:g}", fix=str(error)) from None

    def _zeros(self, model: ModelProto, heads: set[str] | None) -> float | None:
        """Share of weights that are zero, of these nodes or of all; None: the step makes none, or there are no weights."""
        if not self._step.zeros:
            return None
        there = [weight for weight in weights(model) if heads is None or heads.intersection(weight.nodes)]
        none, total = weight_counts.zeros(there)
        return none / total if total else None

    def _filled(self, row: SensitivityRow, found: SensitivityRow, share: float | None) -> SensitivityRow:
        """The figures of a pass with what is known of the row, and the share of zeros."""
        reasons = dict(found.reasons)
        if share is None:
            reasons["zeros"] = "it has no weights to prune" if self._step.zeros else "the step makes no weights zero"
        known = {
            name: getattr(row, name)
            for name in ("unit", "place", "format", "value", "exclude", "nodes", "signature", "weights")
        }
        return msgspec.structs.replace(found, **known, zeros=share, reasons=reasons)

    def whole(self, begun: Sensitivity, rows: tuple[SensitivityRow, ...]) -> Sensitivity:
        """The document of all rows."""
        reasons = dict(begun.reasons)
        bend = histogram = None
        if begun.over in (UNITS, GROUPS):
            reasons |= dict.fromkeys(("knee", "histogram"), "of a sweep alone")
        else:
            bend, why = knee([row.value or 0.0 for row in rows], [_moved(row) for row in rows])
            if why:
                reasons["knee"] = why
            histogram = self._histogram(bend)
            if histogram is None:
                reasons["histogram"] = "the step makes no weights zero"
        return msgspec.structs.replace(
            begun,
            state="done",
            rows=begun.in_order(rows),
            knee=bend,
            histogram=histogram,
            warnings=tuple(dict.fromkeys((*begun.warnings, *self._say.warnings))),
            reasons=reasons,
        )

    def _histogram(self, bend: float | None) -> WeightHistogram | None:
        over = self._question.over
        value = next((each for each in (self._question.at, bend, dict(self._step.one_of).get(over)) if each is not None), None)
        if not self._step.zeros or not isinstance(value, (int, float)):
            return None
        before, after = weights(self._model), weights(self._do(self._at(float(value)), "counted.onnx", NullReporter()))
        hole = weight_counts.smallest(after)
        most = min(weight_counts.largest(before), max(weight_counts.reach(before), 2 * hole))
        counts, none = weight_counts.spread(before, most)
        later, zero = weight_counts.spread(after, most)
        return WeightHistogram(
            setting=over,
            value=float(value),
            low=-most,
            high=most,
            before=counts,
            after=later,
            zeros_before=none,
            zeros_after=zero,
            beyond=sum(weight.size for weight in before) - none - sum(counts),
        )


def _moved(row: SensitivityRow) -> float | None:
    """How far outputs moved, 0 to 1 and beyond, for the knee."""
    if row.offset_rate_abs is not None:
        return row.offset_rate_abs
    return None if row.agreement is None else 1 - row.agreement


def _format(step: Step) -> str:
    return step.method if step.arithmetic == "float32" else step.arithmetic


def _refuse_step(step: Step, over: str) -> None:
    if over == GROUPS and isinstance(step, PruneChannels):
        return
    if over != UNITS and over not in step.sweeps:
        known = " or ".join((UNITS, *step.sweeps))
        raise RecipeRefused(f"{step.method} has no setting `{over}` to sweep", fix=f"go over {known}")
    if over == UNITS and not step.sparing:
        raise RecipeRefused(f"{step.method} cannot be done to one unit alone", fix="choose a step that prunes or quantizes")


def _says_classes(path: Path, dataset: object) -> bool:
    return export_notes(path).task == "classify" or bool(getattr(dataset, "classes", ()))


def _lowering(card: Card, home: Path, question: SensitivityQuestion) -> str:
    """The backend's lowering; where it is not installed, or says halves by a flag, the first that says all in the graph."""
    said = [each.target for each in card.lowerings if each.half == "graph"]
    try:
        target = open_backend(question.spec.backend, home).target()
    except EdgetuiError:
        return said[0]
    return target if target in said else said[0]


def _feeds(facts: ModelFacts, shown: Samples | None, question: SensitivityQuestion, batch: int) -> tuple[Iterable[Feeds], int]:
    """Batches as the model takes them, and how many at most: whole ones, for what fills up the last is no sample."""
    if shown is None:
        most = max(1, question.samples // batch)
        seed = question.spec.seed
        return (random_inputs(facts.inputs, facts.shapes, seed + place) for place in range(most)), most
    there = min(question.samples, len(shown))
    taken = shown.take(there - there % batch or there)
    return (one.feeds for one in taken.batches(batch, padded=True)), max(1, len(taken) // batch)
