"""What stays in FP32 beside what a person named: recurrent nodes and what feeds them, and nodes that stand for older ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.backends.tensorrt import build
from edgetui.engine.backends.tensorrt.build_messages import BuildRequest
from edgetui.engine.compress.islands import widened
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.schema.steps import PrecisionFp16, QuantizeInt8, QuantizeWeights, Recipe
from nodes import Bench, Net
from onnx import TensorProto
from steps import lowered

WIDTH, STATE = 8, 16
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(operator: str, extra: str, folder: Path, ahead: tuple[str, ...] = ("Relu", "Transpose")) -> Path:
    """A recurrent node behind some others; `extra`: `lengths`, `peepholes` or nothing."""
    net, gates = Net(17), GATES[operator]
    x = net.input("x", 2, 6, WIDTH)
    for word in ahead:
        x = net.node(word, x, name=word.lower(), **({"perm": [1, 0, 2]} if word == "Transpose" else {}))
    inputs = [x, net.weight(1, gates * STATE, WIDTH), net.weight(1, gates * STATE, STATE), net.weight(1, 2 * gates * STATE)]
    inputs += [net.constant(np.array([4, 6], np.int32))] if extra == "lengths" else []
    inputs += ["", "", "", net.weight(1, 3 * STATE)] if extra == "peepholes" else []
    y = net.node(operator, *inputs, name="rnn", hidden_size=STATE)
    return Bench(folder).save(net.model(net.node("Relu", y, name="last")))


@pytest.mark.parametrize(
    ("operator", "extra", "keep", "stay"),
    [
        ("LSTM", "", (), set()),
        ("LSTM", "", ("rnn",), {"rnn", "transpose", "relu"}),
        ("LSTM", "peepholes", (), {"rnn", "transpose", "relu"}),
        ("GRU", "lengths", (), {"rnn", "transpose", "relu"}),
        ("RNN", "", ("last",), {"last"}),
    ],
)
def test_up_to_the_first_node_that_computes(operator, extra, keep, stay, tmp_path):
    model = onnx.load(recurrent(operator, extra, tmp_path, ("Sigmoid", "Relu", "Transpose")))
    assert widened(model, keep) == stay


@pytest.mark.parametrize(
    ("operator", "extra", "keep"),
    [
        ("LSTM", "peepholes", ()),
        ("LSTM", "lengths", ()),
        ("GRU", "lengths", ()),
        ("RNN", "lengths", ()),
        ("LSTM", "", ("rnn",)),
        ("LSTM", "", ()),
    ],
)
def test_tensorrt_builds_recurrent_nodes_in_half_precision(operator, extra, keep, rtx, tmp_path):
    file = lowered(recurrent(operator, extra, tmp_path), Recipe(step=(PrecisionFp16(keep=keep),)), tmp_path)
    assert any(tensor.data_type == TensorProto.FLOAT16 for tensor in onnx.load(file).graph.initializer) is not (
        bool(extra) or bool(keep)
    )
    settings = TensorRtSettings(target="sm_86")
    build.build(
        BuildRequest(onnx=str(file), out=str(tmp_path / "p"), module=rtx.module, settings=settings), rtx, lambda _: None
    )
    assert (tmp_path / "p").stat().st_size


HALF = PrecisionFp16(keep=("softmax",))


@pytest.mark.parametrize(
    "steps",
    [(QuantizeInt8(calibrator="minmax"), HALF), (HALF, QuantizeInt8(calibrator="minmax")), (HALF, QuantizeWeights(bits=8))],
    ids=["int8 first", "int8 second", "weights"],
)
def test_a_node_that_a_later_opset_writes_as_three_stays_in_fp32(steps, tmp_path):
    """Logits around a million: half floats would make infinities of them, and the Softmax no numbers."""
    net = Net(11)
    x = net.node("Relu", net.node("MatMul", net.input("x", 1, 4, 64), net.weight(64, 32)), name="relu")
    big = net.node("Mul", x, net.constant(np.float32(1e6)), name="big")
    model = Bench(tmp_path).save(net.model(net.node("Softmax", big, name="softmax", axis=1)))
    file = lowered(model, Recipe(step=steps), tmp_path)
    made = OnnxRuntime().load(file, BackendSettings(graph="basic")).run({"x": np.ones((1, 4, 64), np.float32)})
    assert all(np.isfinite(array).all() for array in made.values())
