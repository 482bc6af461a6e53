"""Repair after a change: the weights of one layer after another fitted by least squares to what the layer gave before.

Each layer is fitted to what the original gave at its output, from what the changed model gives at its input, so that it takes
back what the layers before it have lost too (He et al. 2017, Channel Pruning for Accelerating Very Deep Neural Networks, eq. 5,
with biases, and for scattered zeros with a mask). Before a Relu it is fitted again, as Zhang et al. 2015 do (Accelerating Very
Deep Convolutional Networks for Classification and Detection, section 3.2): where the original is below zero, anything below
zero is right. No labels, no gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from ..errors import ModelRefused
from ..graph.constant_views import seen
from ..graph.load import load, save_apart
from ..graph.names import Names
from ..graph.shapes import inferred, shape_table
from ..graph.weights import weights
from ..graph.wiring import read
from ..system.reporter import Reporter
from .kept_samples import FEW, KeptSamples
from .layer_rows import Floats, LinearLayer, linear_layers
from .least_squares import NormalEquations
from .onward_passes import OnwardPasses

LARGEST_SUMS = 4096
"""Inputs of a layer, at most: the sums over more take 70 MB and their solution minutes."""
_ROWS_EACH = 24
"""Rows for each input of a layer: 12 give the same top-1 within 0.2 points on a ResNet-20, 48 no better."""
_MOST_ROWS = 16_384
"""Of a layer, at most: sums over 2304 inputs take two seconds of a core with these."""
_BENT = 2
"""More solutions before a Relu: of a ResNet-20 without a quarter of its channels top-1 is 0.750, with two of them 0.760."""
_LARGEST_BENT = 1152
"""Inputs of a layer that is solved more than once: of more each takes seconds."""
_HELD_BYTES = 32_000_000
"""Of fitted weights that are held before they go to a file."""


@dataclass(frozen=True)
class Layer:
    """What is to be fitted."""

    name: str
    """Label of the node in the changed model."""
    output: str = ""
    """The tensor of the original that it shall give; empty: that of the same name as its own output."""
    channels: NDArray[np.intp] | None = None
    """Which channels of that are left; None: all."""
    mix: Floats | None = None
    """It gives these sums of them, shape (channels, outputs); None: the channels themselves."""
    zeros_stay: bool = False
    """Weights that are zero stay zero."""


def repair(model: ModelProto, original: Path, layers: Sequence[Layer], samples: KeptSamples, out: Path, say: Reporter) -> str:
    """Fit the `layers` of the changed `model`, first to last, and write it to `out`; returns a clause on what was done.

    `original` is the model before the change, on the same inputs. Layers that share their weights, stand in a body, or have
    more than `LARGEST_SUMS` inputs stay as they are.

    Raises:
        DataRefused: the samples do not fit.
        ModelRefused: ONNX Runtime cannot run the model, or a tensor becomes NaN or infinite.
        StorageRefused: `out` cannot be written.
    """
    wanted = {layer.name: layer for layer in layers}
    there = linear_layers(model, weights(model))
    first = load(original)
    places = _Places(model, first)
    order = [
        name
        for name, one in there.items()
        if name in wanted
        and one.inputs <= LARGEST_SUMS
        and constant_bias(model, one) is not None
        and places.same(one, wanted[name])
    ]
    left = sorted(set(wanted) - set(order))
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        say.note(f"repair leaves {', '.join(left[:3])}{more}: shared, in a body, no plain product, or of another size")
    held, thin = 0, list[str]()
    passes = _Passes(OnwardPasses(first, samples), OnwardPasses(model, samples), len(samples), samples.folder)
    for number, name in enumerate(order, 1):
        if held > _HELD_BYTES:
            model, held = settled(model, samples.folder / f"{number}.onnx"), 0
        fit = _LayerFit(model, first, wanted[name], passes)
        held += fit.settle()
        thin += [name] if fit.seen < fit.layer.inputs else []
        say.progress(number, len(order), "layers repaired")
    save_apart(model, out)
    _tell_few(samples.count, thin, say)
    return f"{len(order)} layers repaired on {samples.count} samples"


def _tell_few(samples: int, thin: Sequence[str], say: Reporter) -> None:
    """Warn where samples decide little: what fits a few of them fits no others."""
    if thin:
        more = f" and {len(thin) - 3} more" if len(thin) > 3 else ""
        what = f"give fewer rows than {', '.join(thin[:3])}{more} has inputs to fit"
    elif samples < FEW:
        what = "are few to fit layers to"
    else:
        return
    say.warn(f"{samples} samples {what}: what is repaired may be worse on others; give 100 or more")


class _Passes(NamedTuple):
    """Of both models, in as many batches."""

    original: OnwardPasses
    changed: OnwardPasses
    batches: int
    folder: Path
    """For other files."""


class _Rows(NamedTuple):
    """Of one batch, at some places of a layer's output."""

    entering: Floats
    """Shape (groups, places, inputs), behind them a one for the bias."""
    wanted: Floats
    """What there was before the change, shape (places, outputs)."""
    left: Floats
    """What of it is not beside the layer already."""

    def keep(self, file: IO[bytes]) -> None:
        """Write it behind those of the batches before."""
        for array in self:
            np.save(file, array, allow_pickle=False)

    @classmethod
    def kept_in(cls, file: IO[bytes]) -> _Rows:
        """The next one."""
        return cls(*(np.load(file, allow_pickle=False) for _ in cls._fields))


class _Places:
    """Where layers give something, before and after the change: only what has gone along channels can be fitted."""

    def __init__(self, model: ModelProto, original: ModelProto) -> None:
        self._before, self._after = (shape_table(inferred(one, {})) for one in (original, model))

    def same(self, layer: LinearLayer, wanted: Layer) -> bool:
        """Whether a layer has as many rows as the original's, as far as shapes are known."""
        tensor = layer.node.output[0]
        before, after = self._before.get(wanted.output or tensor), self._after.get(tensor)
        if before is None or after is None:
            return True
        channels = 1 if layer.node.op_type == "Conv" else len(before) - 1
        return len(before) == len(after) and all(
            one == other for axis, (one, other) in enumerate(zip(before, after, strict=True)) if axis != channels
        )


class _LayerFit:
    """One layer, fitted in place."""

    def __init__(self, model: ModelProto, original: ModelProto, wanted: Layer, samples: _Passes) -> None:
        self.model, self.original, self.wanted, self.samples = model, original, wanted, samples
        self.layer = layer = linear_layers(model, weights(model))[wanted.name]
        joined = None if wanted.mix is not None else _joined(model, layer.node)
        self.made = joined.output[0] if joined else layer.node.output[0]
        """The tensor of the changed model that is to be as it was."""
        self.tensor = joined.output[0] if joined else wanted.output or layer.node.output[0]
        """What it was in the original."""
        self.beside = [name for name in joined.input if name != layer.node.output[0]] if joined else []
        self.seen = 0
        """Rows that it was fitted to."""
        self.quota = max(1, min(_ROWS_EACH * layer.inputs, _MOST_ROWS) // samples.batches)

    def settle(self) -> int:
        """Fit it; the bytes of its weights."""
        bent = self.layer.inputs <= _LARGEST_BENT and _goes_through_relu(self.model, self.made)
        sums = NormalEquations(self.layer.groups, self.layer.inputs + self.layer.biased, self.layer.outputs)
        with TemporaryFile(dir=self.samples.folder) as file:
            for rows in self._rows():
                self.seen += rows.entering.shape[1]
                sums.add(rows.entering, self._of_groups(rows.left))
                if bent:
                    rows.keep(file)
            sums.settle()
            _refuse_infinite(sums, self.wanted.name)
            size = self._take(sums, last=not bent)
            for again in range(_BENT if size and bent else 0):
                self._bend(sums, file, last=again == _BENT - 1)
        return size

    def _bend(self, sums: NormalEquations, file: IO[bytes], *, last: bool) -> None:
        """One more solution, where a Relu hides what is below zero with the weights that there are now."""
        now = self._matrix().transpose(0, 2, 1)
        sums.begin_again()
        file.seek(0)
        for _ in range(self.samples.batches):
            rows = _Rows.kept_in(file)
            given = (rows.entering @ now).transpose(1, 0, 2).reshape(rows.left.shape)
            hidden = np.minimum(given, rows.left - rows.wanted)  # together with what is beside it: zero at most
            sums.add(rows.entering, self._of_groups(np.where(rows.wanted > 0, rows.left, hidden)))
        self._take(sums, last=last)

    def _rows(self) -> Iterator[_Rows]:
        """Of each batch, some."""
        layer, wanted = self.layer, self.wanted
        before = self.samples.original.each(self.original, [self.tensor], self.tensor)
        after = self.samples.changed.each(self.model, [layer.node.input[0], *self.beside], layer.node.output[0])
        for number, ((leaving,), (entering, *beside)) in enumerate(zip(before, after, strict=True)):
            at = np.sort(np.random.default_rng(number).permutation(layer.places(_floats(leaving)))[: self.quota])
            wanted_here = layer.targets(_floats(leaving), wanted.channels, at)
            if wanted.mix is not None:
                wanted_here = wanted_here @ wanted.mix
            left = wanted_here
            for other in beside:
                left = left - layer.targets(_floats(other), places=at)
            found = layer.rows(_floats(entering), at)
            if layer.biased:
                found = np.concatenate([found, np.ones((*found.shape[:2], 1), np.float32)], axis=2)
            yield _Rows(found, wanted_here, left)

    def _of_groups(self, rows: Floats) -> Floats:
        turned: Floats = rows.reshape(len(rows), self.layer.groups, self.layer.outputs).transpose(1, 0, 2)
        return turned

    def _matrix(self) -> Floats:
        """The weights as (groups, outputs, inputs), the bias behind them."""
        layer = self.layer
        found, bias = layer.matrix(layer.weight.array()), constant_bias(self.model, layer)
        if not layer.biased or bias is None:
            return found
        return np.concatenate([found, bias.reshape(layer.groups, layer.outputs, 1)], axis=2)

    def _take(self, sums: NormalEquations, *, last: bool) -> int:
        layer, before = self.layer, self._matrix()
        kept = before != 0 if self.wanted.zeros_stay else None
        if kept is not None and layer.biased:
            kept[:, :, -1] = True
        after = sums.solved(before, kept, last=last)
        if not np.isfinite(after).all():
            return 0
        if layer.biased:
            put_bias(self.model, layer, after[:, :, -1].reshape(-1))
            after = after[:, :, :-1]
        layer.weight.write(layer.stored(np.ascontiguousarray(after)))
        return layer.weight.array().nbytes


def _goes_through_relu(model: ModelProto, tensor: str) -> bool:
    """Whether one Relu alone reads a tensor: what is below zero in it is all one."""
    readers = [node for node in model.graph.node if tensor in read(node)]
    return len(readers) == 1 and readers[0].op_type == "Relu" and tensor not in {value.name for value in model.graph.output}


def _joined(model: ModelProto, node: NodeProto) -> NodeProto | None:
    """The Add that alone reads what a node makes, of tensors of one shape, the other known before: then their sum is what
    counts, and the layer takes back what the shortcut beside it has lost as well.
    """
    readers = [other for other in model.graph.node if node.output[0] in read(other)]
    if len(readers) != 1 or readers[0].op_type != "Add" or node.output[0] in {value.name for value in model.graph.output}:
        return None
    (add,) = readers
    others = [name for name in add.input if name != node.output[0]]
    if len(others) != 1 or others[0] in seen(model.graph):
        return None
    behind = {node.output[0]}
    for other in model.graph.node:
        if behind.intersection(read(other)):
            behind.update(other.output)
    shapes = shape_table(inferred(model, {}))
    same = shapes.get(others[0]) == shapes.get(node.output[0]) is not None
    return add if same and others[0] not in behind else None


def _floats(array: NDArray[np.generic]) -> Floats:
    return array.astype(np.float32, copy=False)


def _refuse_infinite(sums: NormalEquations, name: str) -> None:
    if not (np.isfinite(sums.squares).all() and np.isfinite(sums.products).all()):
        raise ModelRefused(
            f"what enters or leaves {name} becomes NaN or infinite on the calibration samples",
            fix="check the dataset's scale, mean and std, and run the model without compression first",
        )


def constant_bias(model: ModelProto, layer: LinearLayer) -> Floats | None:
    """What the node adds, a number each output channel; None: it is no constant."""
    name = layer.node.input[2] if len(layer.node.input) > 2 else ""
    outputs = layer.groups * layer.outputs
    if not name:
        return np.zeros(outputs, np.float32)
    known = seen(model.graph).get(name)
    return None if known is None else np.broadcast_to(known.array().astype(np.float32).reshape(-1), outputs)


def put_bias(model: ModelProto, layer: LinearLayer, values: Floats) -> None:
    """Let a layer add these numbers, one each output channel."""
    name = layer.node.input[2] if len(layer.node.input) > 2 else ""
    fresh = numpy_helper.from_array(values.astype(layer.weight.array().dtype), name)
    own = next((tensor for tensor in model.graph.initializer if tensor.name == name), None) if name else None
    if own is not None and sum(name in read(node) for node in model.graph.node) == 1:
        own.CopyFrom(fresh)
        return
    fresh.name = Names(model).free(f"{layer.weight.name}_bias")
    model.graph.initializer.append(fresh)
    if name:
        layer.node.input[2] = fresh.name
    else:
        layer.node.input.append(fresh.name)


def settled(model: ModelProto, path: Path) -> ModelProto:
    """The same model, its weights in a file: a session reads them there."""
    save_apart(model, path)
    return load(path)
