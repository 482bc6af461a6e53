"""Peak memory and seconds of every stage of an INT8 run, of a ResNet-50 of 102 MB and of one twice as wide, of 400 MB.

make bench-lean            (python tests/benchmarks/lean.py [--sizes 102,400] [--samples 100] [--pixels 224])

The models have random weights and the form that exporters gave them in opset 9: initializers among the inputs, batch norms of
their own. Exit 1 where a stage takes more than 120 MB and 2.5 times the model, or `lower` more than a third of `quantize`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from on_pty import table
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, save

BASE_MB, TIMES = 120.0, 2.5
LOWER_SHARE = 1 / 3
WIDTHS = {"102": 64, "400": 128}
"""Channels of the first layer for a model of so many MB."""
BLOCKS = (3, 4, 6, 3)


class Writer:
    """Nodes and weights of a network, in the order of its layers."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.random = np.random.default_rng(0)

    def store(self, name: str, values: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(self, operator: str, inputs: list[str], **attributes: object) -> str:
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def conv(self, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1, *, relu: bool = True) -> str:
        """Convolution, batch norm and mostly a ReLU."""
        stem = f"conv{len(self.nodes)}"
        values = self.random.standard_normal((outputs, inputs, kernel, kernel)) * np.sqrt(2 / (inputs * kernel * kernel))
        pad = kernel // 2
        y = self.node(
            "Conv", [x, self.store(f"{stem}.weight", values)], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4
        )
        scale, shift, mean = (self.random.uniform(low, high, outputs) for low, high in ((0.5, 1), (-0.1, 0.1), (-0.1, 0.1)))
        parts = {"scale": scale, "bias": shift, "mean": mean, "var": self.random.uniform(0.5, 1.5, outputs)}
        y = self.node("BatchNormalization", [y, *(self.store(f"{stem}.{name}", part) for name, part in parts.items())])
        return self.node("Relu", [y]) if relu else y


def resnet50(width: int, pixels: int) -> ModelProto:
    """ResNet-50 (He et al. 2015), its first layer `width` channels wide."""
    net = Writer()
    x = net.conv("image", 3, width, 7, 2)
    x = net.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    wide = width
    for stage, blocks in enumerate(BLOCKS):
        inner = width << stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = net.conv(net.conv(x, wide, inner, 1), inner, inner, 3, stride)
            y = net.conv(y, inner, 4 * inner, 1, relu=False)
            x = x if block else net.conv(x, wide, 4 * inner, 1, stride, relu=False)
            x, wide = net.node("Relu", [net.node("Add", [y, x])]), 4 * inner
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])])
    weight = net.store("fc.weight", net.random.standard_normal((1000, wide)) / np.sqrt(wide))
    net.nodes.append(helper.make_node("Gemm", [x, weight, net.store("fc.bias", np.zeros(1000))], ["logits"], transB=1))
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, pixels, pixels])]
    inputs += [helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims) for tensor in net.weights]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1000])]
    graph = helper.make_graph(net.nodes, "resnet50", inputs, outputs, net.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)


def run(model: Path, recipe: str, samples: int, pixels: int, home: Path) -> dict:
    """The result of a run, as `edgetui run --json` prints it."""
    images = np.random.default_rng(1).standard_normal((samples, 3, pixels, pixels)).astype(np.float32)
    data = model.with_name("samples.npz")
    np.savez(data, image=images)
    argv = [sys.executable, "-m", "edgetui", "run", str(model), "--recipe", recipe, "--dataset", str(data)]
    environment = os.environ | {"XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
    done = subprocess.run([*argv, "--preset", "quick", "--json"], capture_output=True, text=True, env=environment)
    if not done.stdout.strip():
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def report(result: dict, model_mb: float) -> bool:
    """Print the stages; whether all of them keep to the limits."""
    limit = BASE_MB + TIMES * model_mb
    seconds = {stage["name"].split(":")[-1]: stage["seconds"] for stage in result["stages"]}
    print(f"\n{result['recipe']['name']}, {model_mb:.0f} MB: every stage at most {limit:.0f} MB")
    rows = [
        [stage["name"], f"{stage['peak_mb']:.0f}", f"{stage['seconds']:.1f}", "" if stage["peak_mb"] <= limit else "too much"]
        for stage in result["stages"]
    ]
    print(table(["stage", "MB", "s", ""], rows))
    good = result["state"] == "done" and all(stage["peak_mb"] <= limit for stage in result["stages"])
    if result["error"]:
        print(result["error"])
    step = next((taken for name, taken in seconds.items() if "quantize" in name), None)
    if step is not None and "lower" in seconds:
        print(f"lower takes {seconds['lower'] / step:.2f} of the time of quantize")
        good = good and seconds["lower"] <= LOWER_SHARE * step
    return good


def main() -> int:
    """Print the tables; exit 1 when a figure is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="102,400")
    parser.add_argument("--recipe", default="int8")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--pixels", type=int, default=224)
    asked = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.sizes.split(","):
            model = Path(folder) / f"resnet50-{size}.onnx"
            save(resnet50(WIDTHS[size], asked.pixels), model)
            result = run(model, asked.recipe, asked.samples, asked.pixels, Path(folder) / size)
            good = report(result, model.stat().st_size / 1e6) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
