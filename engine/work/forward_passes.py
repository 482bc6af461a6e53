"""Forward passes of a model and of others that were made of it, over the same samples. Part of the pipeline.

What the original gives is computed once where it fits into memory, else again beside each other model: of a detector, 256
samples give 700 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from ..compress.kept_samples import KeptSamples
from ..compress.observe import Feeds, Inner, mixes
from ..errors import DataRefused, ModelRefused
from ..graph.output_meaning import meanings
from ..measure.output_shift import ClassReader, OutputShift
from ..schema.sensitivity import SensitivityRow
from ..tasks.exporter import ExportNotes
from .told_layouts import layouts_of

Outputs = dict[str, NDArray[Any]]

KEPT_BYTES = 64_000_000
"""Of the original's outputs that are kept in memory."""


class ForwardPasses:
    """The original, its samples, and what it gives for them."""

    def __init__(self, model: ModelProto, samples: KeptSamples, notes: ExportNotes, *, classes_known: bool) -> None:
        """Runs the original over one batch. `notes`: what the exporter says of its outputs.

        Raises:
            ModelRefused, DataRefused: ONNX Runtime cannot run the model on the samples.
        """
        self._model, self._samples = model, samples
        made = {name for node in model.graph.node for name in node.output}
        self._names = [value.name for value in model.graph.output if value.name in made and _is_tensor(value.type)]
        if not self._names:
            raise ModelRefused("no output of the model is a tensor of numbers", fix="export it again")
        self._meanings = meanings(model)
        self.classes = ClassReader(known=classes_known)
        self._kept: list[Outputs] | None = []
        feeds = next(iter(samples))
        first = self._session(model, self._names).run(feeds)
        self.classes.look(first, _count(feeds))
        self._layouts = layouts_of(feeds, first, notes)
        if sum(array.nbytes for array in first.values()) * len(samples) > KEPT_BYTES:
            self._kept = None

    def shift(self, make: Callable[[], ModelProto], tensor: str = "") -> SensitivityRow:
        """How far the model that `make` makes moves the outputs; `tensor`: what is compared beside them, of the same name in
        both. The model is let go once it is loaded, so that its weights are in memory once.

        Raises:
            ModelRefused, DataRefused: as `make` does, or ONNX Runtime cannot run it.
        """
        changed = make()
        there = {name for node in changed.graph.node for name in node.output}
        local = [tensor] if tensor in there else []
        session = self._session(changed, [*self._names, *local])
        del changed
        shift = OutputShift(self._meanings, self.classes, self._layouts)
        for feeds, before in zip(self._samples, self._before(local), strict=True):
            after = session.run(feeds)
            shift.add({name: before[name] for name in self._names}, after, _count(feeds))
            for name in local:
                shift.add_local(before[name], after[name])
        return shift.figures()

    def _before(self, local: Sequence[str]) -> Iterator[Outputs]:
        """What the original gives, batch by batch."""
        kept = self._kept
        missing = [*([] if kept else self._names), *local]
        session = self._session(self._model, missing) if missing else None
        fresh: list[Outputs] = []
        for place, feeds in enumerate(self._samples):
            known = dict(kept[place]) if kept else {}
            if session is not None:
                known |= session.run(feeds)
            if kept is not None and not kept:
                fresh.append({name: known[name] for name in self._names})
            yield known
        if kept is not None and not kept:
            self._kept = fresh

    def _session(self, model: ModelProto, names: Sequence[str]) -> _Batched:
        return _Batched(model, list(dict.fromkeys(names)), next(iter(self._samples)), self._samples.batched)


class _Batched:
    """A session that takes the batches as they are kept; sample by sample where several at once give something else or fail."""

    def __init__(self, model: ModelProto, names: list[str], one: Feeds, batched: bool) -> None:
        """`one`: a batch, with which it is tried."""
        self._names, self._alone = names, batched and mixes(model)
        self._inner = Inner(model, names, batched=batched and not self._alone, lean=False)
        if batched and not self._alone:
            try:
                self._inner.run(one)
            except DataRefused:  # something of what was put into the graph has the batch of one written into it
                self._alone, self._inner = True, Inner(model, names, lean=False)

    def run(self, feeds: Feeds) -> Outputs:
        if not self._alone:
            return dict(zip(self._names, self._inner.run(feeds), strict=True))
        each = [self._inner.run(one) for one in singles(feeds)]
        return {name: np.concatenate([found[n] for found in each]) for n, name in enumerate(self._names)}


def singles(feeds: Feeds) -> Iterator[Mapping[str, NDArray[np.generic]]]:
    """The samples of a batch, each as a batch of one."""
    for place in range(_count(feeds)):
        yield {name: array[place : place + 1] for name, array in feeds.items()}


def _count(feeds: Feeds) -> int:
    return next((len(array) for array in feeds.values() if array.ndim), 1)


def _is_tensor(kind: Any) -> bool:  # noqa: ANN401  (a TypeProto, whose stub is private)
    return kind.WhichOneof("value") in (None, "tensor_type") and kind.tensor_type.elem_type != TensorProto.STRING
