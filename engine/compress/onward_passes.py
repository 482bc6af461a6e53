"""Forward passes over kept samples that go on from where one before them was: who looks at layers first to last computes the
model a few times in all, and not from its beginning for each layer.

Apart from `kept_samples.py` because it belongs to one model, and to the order in which it is gone through.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from onnx import ModelProto, ValueInfoProto, helper

from ..graph.computable_part import needed_for
from ..graph.macs import macs_of
from ..graph.shapes import inferred, shape_table
from ..graph.wiring import read
from .kept_samples import KeptSamples
from .observe import Array, Inner

_MACS_A_BYTE = 40
"""Multiplications that take as long as a byte takes to be written and read; where there are fewer, it is computed again."""
_MOST_BYTES = 512_000_000
"""Of the files, at most; where more is alive, passes go on from where it was less."""
_BYTES_EACH = 4
"""Of a number."""


class OnwardPasses:
    """A model, and what is alive at one place of it for every batch of the samples, in files beside them."""

    def __init__(self, model: ModelProto, samples: KeptSamples) -> None:
        """`model`: with the shapes that it keeps, whatever becomes of its weights."""
        self._samples = samples
        self._shapes = shape_table(inferred(model, {}))
        self._folder = Path(mkdtemp(dir=samples.folder))
        self._known: tuple[ValueInfoProto, ...] = ()

    def each(self, model: ModelProto, tensors: Sequence[str], place: str) -> Iterator[list[Array]]:
        """The tensors batch by batch, in order; to be gone through to the end.

        place: a tensor; what is made before it, in the order of nodes, stays as it is from now on.

        Raises:
            ModelRefused, DataRefused: ONNX Runtime cannot run the model on the samples.
        """
        known, alive = self._known, self._worth_keeping(model, place)
        session = Inner(model, [*tensors, *alive], batched=self._samples.batched, known=known)
        kept: tuple[ValueInfoProto, ...] = ()
        self._known = () if alive else known  # until all files are of the new place
        for number, feeds in enumerate(self._samples):
            file = self._folder / str(number)
            found = session.run({**feeds, **_read(file, known)})
            arrays = found[len(tensors) :]
            if alive and (not number or kept):
                kept = _written(file, alive, arrays)
            yield found[: len(tensors)]
            del found, arrays
        self._known = kept if alive else known

    def _worth_keeping(self, model: ModelProto, place: str) -> list[str]:
        """What is made before a place and read behind it, where it is cheaper to keep than to compute again; else nothing."""
        nodes = list(model.graph.node)
        at = next((number for number, node in enumerate(nodes) if place in node.output), 0)
        made = dict.fromkeys(name for node in nodes[:at] for name in node.output if name)
        wanted = {name for node in nodes[at:] for name in read(node)}
        alive = [name for name in made if name in wanted]
        shapes = [self._shapes.get(name) for name in alive]
        if not alive or None in shapes:
            return []
        size = sum(_BYTES_EACH * math.prod(shape) for shape in shapes if shape is not None)
        whole = size * (self._samples.count if self._samples.batched else len(self._samples))
        known = [value.name for value in self._known]
        macs = sum(macs_of(node, self._shapes) for node in needed_for(model, alive, known))
        return alive if whole <= _MOST_BYTES and macs >= _MACS_A_BYTE * size else []


def _read(file: Path, known: Sequence[ValueInfoProto]) -> dict[str, Array]:
    if not known:
        return {}
    with file.open("rb") as stream:
        return {value.name: np.load(stream, allow_pickle=False) for value in known}


def _written(file: Path, names: Sequence[str], arrays: Sequence[Array]) -> tuple[ValueInfoProto, ...]:
    """What the arrays are as inputs of a model, once they are in the file; nothing: they are no numbers, or it has no room."""
    with suppress(OSError, AttributeError, KeyError, ValueError):
        kinds = [helper.np_dtype_to_tensor_dtype(array.dtype) for array in arrays]
        with file.open("wb") as stream:
            for array in arrays:
                np.save(stream, array, allow_pickle=False)
        return tuple(
            helper.make_tensor_value_info(name, kind, [None] * array.ndim)
            for name, kind, array in zip(names, kinds, arrays, strict=True)
        )
    with suppress(OSError):  # what is left of it takes room
        file.unlink(missing_ok=True)
    return ()
