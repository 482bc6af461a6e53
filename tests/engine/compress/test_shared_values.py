"""Codebooks: k-means against a plain one, what is read back, sizes as Huffman's code gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.shared_values import codebook, huffman_bits, share
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph.codebooks import shared_weights
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import counts
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeShared
from edgetui.engine.system.reporter import NullReporter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nodes import Bench, Net
from onnx import numpy_helper

UINT4, UINT8 = onnx.TensorProto.UINT4, onnx.TensorProto.UINT8


def network(net: type[Net], bench: Bench) -> Path:
    made = net()
    x = made.node("Relu", made.conv(made.input("image", 1, 3, 8, 8), 3, 16))
    x = made.node("Flatten", made.node("GlobalAveragePool", made.node("Relu", made.conv(x, 16, 24))))
    return bench.save(made.model(made.node("Gemm", x, made.weight(10, 24), made.weight(10), transB=1, name="fc")))


def lloyd(flat: np.ndarray, bits: int) -> float:
    """The squared error of k-means done plainly, from the same start."""
    centres = np.linspace(flat.min(), flat.max(), 2**bits)
    for _ in range(60):
        nearest = np.abs(flat[:, None] - centres).argmin(axis=1)
        centres = np.array([flat[nearest == k].mean() if (nearest == k).any() else centres[k] for k in range(len(centres))])
    return float(np.sum((flat - centres[np.abs(flat[:, None] - centres).argmin(axis=1)]) ** 2))


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_values_are_as_good_as_those_of_plain_k_means(bits: int) -> None:
    flat = np.random.default_rng(bits).standard_normal(4000).astype(np.float32)
    values, places = codebook(flat, bits, "w")
    assert len(values) <= 2**bits
    assert np.sum((values[places] - flat) ** 2) == pytest.approx(lloyd(flat, bits), rel=0.02)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.float32, st.integers(1, 300), elements=st.floats(-4, 4, width=32) | st.just(0.0)), st.integers(2, 8))
def test_each_weight_has_its_nearest_value_and_zeros_stay(array: np.ndarray, bits: int) -> None:
    values, places = codebook(array, bits, "w")
    assert len(values) <= 2**bits
    assert (np.diff(values) > 0).all()
    found = values[places]
    assert not found[array == 0].any()
    other = array[array != 0]
    best = np.abs(other[:, None] - values).min(axis=1)
    np.testing.assert_allclose(np.abs(found[array != 0] - other), best, atol=1e-6)


def test_few_values_are_kept_exactly() -> None:
    """The control: where a layer has no more values than places, nothing is lost."""
    array = np.random.default_rng(0).choice(np.array([-1.5, -0.1, 0, 0.25], np.float32), (7, 9))
    values, places = codebook(array, 2, "w")
    assert (values[places] == array).all()


@pytest.mark.parametrize(
    ("counts_", "bits"),
    [([5, 9, 12, 13, 16, 45], 224), ([1, 1], 2), ([7], 7), ([0, 3, 0], 3), ([4, 4, 4, 4], 32)],
)
def test_huffman_sizes(counts_: list[int], bits: int) -> None:
    """The first: Cormen et al., Introduction to Algorithms, section 16.3."""
    assert huffman_bits(np.array(counts_)) == bits


@pytest.mark.parametrize(("bits", "kind"), [(2, UINT4), (4, UINT4), (6, UINT8)])
@pytest.mark.parametrize("target", ["onnxruntime-x86", "tensorrt", "tensorrt-flags", "torch"])
def test_every_backend_reads_the_same_values(net: type[Net], bench: Bench, bits: int, kind: int, target: str) -> None:
    source, out, low = network(net, bench), bench.folder / "o.onnx", bench.folder / "low.onnx"
    share(QuantizeShared(bits=bits, exclude=("fc",)), source, out, NullReporter())
    found = shared_weights(load(out))
    assert [one.places.data_type for one in found] == [kind, kind]
    assert all(len(one.values.dims) == 1 and one.values.dims[0] <= 2**bits for one in found)
    plain = load(source)
    for one in found:
        tensor = next(tensor for tensor in plain.graph.initializer if tensor.name == one.gather.output[0])
        tensor.CopyFrom(numpy_helper.from_array(one.array(), tensor.name))
    lower(out, low, target, NullReporter())
    assert bool(shared_weights(load(low))) == (not target.startswith("tensorrt"))
    for feed in bench.feeds(plain, 3):
        np.testing.assert_allclose(bench.run(low, feed)[0], bench.run(plain, feed)[0], atol=1e-5)
    assert counts(load(out), {}) == counts(load(source), {})


def test_pruned_weights_are_counted_as_zeros_still(net: type[Net], bench: Bench) -> None:
    source, pruned, out = network(net, bench), bench.folder / "p.onnx", bench.folder / "o.onnx"
    prune(PruneMagnitude(amount=0.5), source, pruned, None, NullReporter())
    line = share(QuantizeShared(bits=4), pruned, out, NullReporter())
    assert counts(load(out), {})[1] == counts(load(pruned), {})[1]
    dense = share(QuantizeShared(bits=4), source, bench.folder / "d.onnx", NullReporter())
    coded = [float(text.rsplit(", ", 1)[1].split(" MB")[0]) for text in (line, dense)]
    assert coded[0] <= coded[1]


def test_what_cannot_be_shared_is_refused(net: type[Net], bench: Bench) -> None:
    source, out = network(net, bench), bench.folder / "o.onnx"
    with pytest.raises(RecipeRefused, match="`head` matches no node"):
        share(QuantizeShared(exclude=("head",)), source, out, NullReporter())
    with pytest.raises(ModelRefused, match="no floating-point weights"):
        share(QuantizeShared(exclude=("Conv", "Gemm")), source, out, NullReporter())
    model = load(source)
    weights(model)[0].write(np.full(weights(model)[0].shape, np.inf, np.float32))
    with pytest.raises(ModelRefused, match="infinite or not numbers"):
        share(QuantizeShared(), bench.save(model), out, NullReporter())


def test_a_real_model_is_an_eighth_of_its_size(shared: Path, tmp_path: Path) -> None:
    source, out = shared / "models" / "resnet20_cifar10.onnx", tmp_path / "o.onnx"
    line = share(QuantizeShared(bits=4), source, out, NullReporter())
    assert line.startswith("20 tensors with at most 16 values each: 1.07 MB became 0.14 MB, 0.12 MB with Huffman coding")
    assert out.stat().st_size < 0.15 * source.stat().st_size
