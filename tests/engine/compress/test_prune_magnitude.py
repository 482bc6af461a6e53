import math
from fractions import Fraction
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from edgetui.engine.compress.magnitude import prune, share_of, smallest, smallest_of_all
from edgetui.engine.errors import ModelRefused, RecipeRefused
from edgetui.engine.graph import metadata
from edgetui.engine.graph.load import load
from edgetui.engine.graph.weights import weights
from edgetui.engine.schema.steps import PruneMagnitude
from edgetui.engine.system.reporter import NullReporter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import numpy_helper, parser

few_values = arrays.arrays(np.float32, st.integers(1, 60), elements=st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 2.0]))


def two_layers(folder: Path, first: np.ndarray, second: np.ndarray) -> Path:
    """x [1, n] times `first` [n, m], plus a bias of tiny numbers, times `second` [m, k]."""
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1, n] x) => (float[1, k] y) { a = Gemm(x, first, bias) y = MatMul(a, second) }"""
    )
    bias = np.full(first.shape[1], 1e-9, np.float32).astype(first.dtype)
    for name, value in (("first", first), ("second", second), ("bias", bias)):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    metadata.put(model, "int8", {"a": 1})
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def after(step: PruneMagnitude, source: Path) -> tuple[dict[str, np.ndarray], str]:
    out = source.with_name("out.onnx")
    line = prune(step, source, out, None, NullReporter())
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in load(out).graph.initializer}, line


def zeros(array: np.ndarray) -> int:
    return array.size - int(np.count_nonzero(array))


@given(few_values, st.floats(0, 1))
def test_exactly_the_share_goes_and_it_is_the_smallest(values: np.ndarray, amount: float) -> None:
    magnitudes = np.abs(values)
    count = share_of(amount, values.size)
    limit, at_limit = smallest(magnitudes, count)
    gone = magnitudes < limit
    gone[np.flatnonzero(magnitudes == limit)[:at_limit]] = True
    assert int(gone.sum()) == count == math.floor(Fraction(repr(amount)) * values.size)
    if 0 < count < values.size:
        assert magnitudes[gone].max() <= magnitudes[~gone].min()


@given(st.integers(0, 100), st.integers(1, 10**6))
def test_a_share_is_the_decimal_that_was_written(percent: int, size: int) -> None:
    assert share_of(percent / 100, size) == percent * size // 100


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrays.arrays(np.float32, (6, 7), elements=st.floats(-3, 3, width=32, allow_subnormal=False)),
    arrays.arrays(np.float32, (7, 5), elements=st.sampled_from([1.0, -1.0, 0.25])),
    st.integers(0, 20),
    st.sampled_from(["layer", "global"]),
)
def test_counts_in_files(tmp_path: Path, first: np.ndarray, second: np.ndarray, twentieths: int, scope: str) -> None:
    amount = twentieths / 20
    found, _ = after(PruneMagnitude(amount=amount, scope=scope), two_layers(tmp_path, first, second))
    if scope == "layer":
        assert zeros(found["first"]) == max(zeros(first), share_of(amount, first.size))
        assert zeros(found["second"]) == share_of(amount, second.size)
    else:
        total = first.size + second.size
        assert zeros(found["first"]) + zeros(found["second"]) == max(zeros(first), share_of(amount, total))
    for name, before in (("first", first), ("second", second)):
        stays = found[name] != 0
        assert (found[name][stays] == before[stays]).all()
    assert (found["bias"] != 0).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from([np.float32, np.float64]))
def test_the_limit_over_all_tensors_is_that_of_them_joined(tmp_path: Path, data: st.DataObject, dtype: type) -> None:
    odd = [0.0, 1.0, -1.0, 1.0000001, np.inf, 1e300 if dtype == np.float64 else 1e30]
    numbers = st.floats(-1e3, 1e3, width=32) | st.sampled_from(np.array(odd, dtype).tolist())
    first = data.draw(arrays.arrays(dtype, (3, 7), elements=numbers))
    second = data.draw(arrays.arrays(dtype, (7, 4), elements=numbers))
    found = weights(load(two_layers(tmp_path, first, second)))
    count = data.draw(st.integers(0, first.size + second.size))
    joined = np.abs(np.concatenate([first.ravel(), second.ravel()]))
    assert smallest_of_all(found, count) == smallest(joined, count)


def test_equal_magnitudes_go_by_position(tmp_path: Path) -> None:
    found, _ = after(
        PruneMagnitude(amount=0.5), two_layers(tmp_path, np.ones((2, 4), np.float32), -np.ones((4, 2), np.float32))
    )
    assert found["first"].tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]
    assert found["second"].tolist() == [[0, 0], [0, 0], [-1, -1], [-1, -1]]


def test_global_ties_go_in_the_order_of_the_tensors(tmp_path: Path) -> None:
    source = two_layers(tmp_path, np.ones((2, 4), np.float32), np.ones((4, 2), np.float32))
    found, _ = after(PruneMagnitude(amount=0.625, scope="global"), source)
    assert zeros(found["first"]) == 8
    assert found["second"].ravel().tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def test_a_threshold_spares_what_equals_it(tmp_path: Path) -> None:
    first = np.array([[1e-3, -1e-3, 9.9e-4, -9.9e-4, 0, 5]], np.float32)
    found, line = after(PruneMagnitude(threshold=1e-3), two_layers(tmp_path, first, np.ones((6, 1), np.float32)))
    assert found["first"].tolist() == [[np.float32(1e-3), -np.float32(1e-3), 0, 0, 0, 5]]
    assert line == "25.0 % of 12 weights are zero now (2 tensors)"


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_other_floats_keep_their_type(tmp_path: Path, dtype: type) -> None:
    first = np.arange(1, 9).reshape(2, 4).astype(dtype)
    found, _ = after(PruneMagnitude(amount=0.5), two_layers(tmp_path, first, np.ones((4, 2)).astype(dtype)))
    assert found["first"].dtype == dtype
    assert found["first"].astype(np.float32).tolist() == [[0, 0, 0, 0], [5, 6, 7, 8]]


def test_doubles_beside_floats_are_compared_exactly(tmp_path: Path) -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,4] x, double[1,4] z) => (float y, double u) { y = MatMul(x, a) u = MatMul(z, b) }"""
    )
    model.graph.initializer.append(numpy_helper.from_array(np.full((4, 1), 0.1, np.float32), "a"))
    model.graph.initializer.append(numpy_helper.from_array(np.full((4, 1), 0.1, np.float64), "b"))
    source = tmp_path / "model.onnx"
    source.write_bytes(model.SerializeToString())
    found, _ = after(PruneMagnitude(amount=0.5, scope="global"), source)
    # 0.1 as a float is a little more than 0.1 as a double.
    assert (zeros(found["a"]), zeros(found["b"])) == (0, 4)


def test_metadata_stay(tmp_path: Path) -> None:
    source = two_layers(tmp_path, np.ones((2, 4), np.float32), np.ones((4, 2), np.float32))
    after(PruneMagnitude(amount=0.1), source)
    assert metadata.get(load(source.with_name("out.onnx")), "int8") == {"a": 1}


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    first = np.ones((2, 4), np.float32)
    first[1, 1] = np.nan
    for step in (PruneMagnitude(amount=0.5), PruneMagnitude(amount=0.5, scope="global"), PruneMagnitude(threshold=0.1)):
        with pytest.raises(ModelRefused, match="first holds values that are not numbers"):
            after(step, two_layers(tmp_path, first, np.ones((4, 2), np.float32)))


def test_nothing_to_prune_is_refused(tmp_path: Path) -> None:
    model = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }')
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelRefused, match="no floating-point weights"):
        prune(PruneMagnitude(amount=0.5), path, tmp_path / "o.onnx", None, NullReporter())


def test_a_layer_that_dies_is_told(tmp_path: Path) -> None:
    say = NullReporter()
    source = two_layers(tmp_path, np.full((2, 4), 1e-4, np.float32), np.ones((4, 2), np.float32))
    prune(PruneMagnitude(threshold=1e-3), source, tmp_path / "o.onnx", None, say)
    assert any("nothing is left of first" in warning for warning in say.warnings)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_real_model(shared: Path, tmp_path: Path, scope: str) -> None:
    line = prune(
        PruneMagnitude(amount=0.3, scope=scope),
        shared / "models" / "resnet20_cifar10.onnx",
        tmp_path / "o.onnx",
        None,
        NullReporter(),
    )
    assert line == "30.0 % of 268 336 weights are zero now (20 tensors)"
    found = weights(load(tmp_path / "o.onnx"))
    expected = sum(share_of(0.3, weight.size) for weight in found) if scope == "layer" else share_of(0.3, 268_336)
    assert sum(zeros(weight.array()) for weight in found) == expected


@pytest.mark.parametrize(
    ("step", "pruned"),
    [
        (PruneMagnitude(amount=0.5, only=("Gemm",)), {"first"}),
        (PruneMagnitude(amount=0.5, exclude=("Gemm",)), {"second"}),
        (PruneMagnitude(threshold=1.5, only=("MatMul*", "Gemm"), exclude=("MatMul",)), {"first"}),
        (PruneMagnitude(amount=0.5, scope="global", only=("MatMul",)), {"second"}),
    ],
)
def test_only_and_exclude_choose_the_layers(tmp_path: Path, step: PruneMagnitude, pruned: set[str]) -> None:
    found, _ = after(step, two_layers(tmp_path, np.ones((2, 4), np.float32), np.ones((4, 2), np.float32)))
    assert {name for name in ("first", "second") if zeros(found[name])} == pruned


def test_patterns_that_mean_nothing_or_leave_nothing_are_refused(tmp_path: Path) -> None:
    source = two_layers(tmp_path, np.ones((2, 4), np.float32), np.ones((4, 2), np.float32))
    with pytest.raises(RecipeRefused, match="`Conv` matches no node"):
        after(PruneMagnitude(amount=0.5, only=("Conv",)), source)
    with pytest.raises(ModelRefused, match="leave no weights to prune"):
        after(PruneMagnitude(amount=0.5, only=("Gemm",), exclude=("Gemm",)), source)


def test_the_norms_of_every_layer_are_in_the_log(tmp_path: Path) -> None:
    say = NullReporter()
    first = np.array([[1, -2, 3, -4], [5, -6, 7, -8]], np.float32)
    source = two_layers(tmp_path, first, np.full((4, 2), 0.5, np.float32))
    prune(PruneMagnitude(amount=0.25), source, tmp_path / "o.onnx", None, say)
    assert say.notes == [
        "first: L1 norm 36 before, 33 after, 25.0 % zero",
        "second: L1 norm 4 before, 3 after, 25.0 % zero",
    ]


def test_the_paper_prunes_every_convolution_and_nothing_else(shared: Path, tmp_path: Path) -> None:
    """Filippou et al.: of each Conv the smallest 5 % go, biases and the last Gemm stay."""
    source = shared / "models" / "resnet20_cifar10.onnx"
    prune(PruneMagnitude(amount=0.05, only=("Conv",)), source, tmp_path / "o.onnx", None, NullReporter())
    before, now = weights(load(source)), weights(load(tmp_path / "o.onnx"))
    for old, new in zip(before, now, strict=True):
        gone = share_of(0.05, old.size) if old.operators == ["Conv"] else 0
        order = np.argsort(np.abs(old.array().ravel()), kind="stable")
        expected = old.array().ravel().copy()
        expected[order[:gone]] = 0
        assert (new.array().ravel() == expected).all()
    assert {weight.operators[0] for weight in before} == {"Conv", "Gemm"}


def test_a_step_that_says_nothing_new_keeps_its_hash() -> None:
    assert PruneMagnitude(amount=0.3).described() == {
        "method": "prune.magnitude",
        "on": True,
        "scope": "layer",
        "amount": 0.3,
        "threshold": None,
    }
    assert PruneMagnitude(amount=0.3, repair=True).described()["repair"] is True
    assert (PruneMagnitude(amount=0.3).need, PruneMagnitude(amount=0.3, repair=True).need) == ("none", "calibration")
