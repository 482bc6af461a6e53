"""ONNX graphs layer by layer, with weights drawn from a seed and names as PyTorch's exporter gives them.

Written as ONNX from the start, so that a board without PyTorch makes the networks too, and the file is the same wherever it is
made; what trains them executes the file (`network/module.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

Attribute = int | float | str | list[int]
"""Of a node."""
OPSET, IR = 17, 8
"""What TensorRT 8.5 and every ONNX Runtime of these days read."""


class Maps(NamedTuple):
    """A tensor (batch, channels, side, side)."""

    name: str
    channels: int
    side: int


class Vector(NamedTuple):
    """A tensor (batch, width)."""

    name: str
    width: int


class Tokens(NamedTuple):
    """A tensor (batch, length, width)."""

    name: str
    length: int
    width: int


class OnnxBuilder:
    """A graph under construction. Layers are named by where they stand: `with net.within("layer1.0")`."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.frozen: set[str] = set()
        """Weights that no training changes."""
        self._nodes: list[onnx.NodeProto] = []
        self._held: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._where: list[str] = []
        self._taken: dict[str, int] = {}

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Layers that are made meanwhile stand in a part of this name."""
        self._where.append(name)
        yield
        self._where.pop()

    # What every layer is made of

    def path(self, name: str) -> str:
        """The name of a layer that stands here, with dots."""
        return ".".join(filter(None, [*self._where, name]))

    def held(self, name: str, values: NDArray[np.generic]) -> str:
        """A stored tensor; floats are FP32."""
        stored = values.astype(np.float32) if values.dtype.kind == "f" else values
        full = self._free(self.path(name))
        self._held.append(numpy_helper.from_array(np.ascontiguousarray(stored), full))
        return full

    def ints(self, *values: int) -> str:
        """A stored list of integers, as Reshape and Slice take them."""
        return self.held("shape", np.array(values, np.int64))

    def number(self, value: float) -> str:
        """A stored number."""
        return self.held("number", np.array(value, np.float32))

    def drawn(self, name: str, *shape: int, fan: int) -> str:
        """Weights of a normal distribution with variance 2 / fan (He et al. 2015, Delving Deep into Rectifiers, eq. 10)."""
        return self.held(name, self.draw.standard_normal(shape) * np.sqrt(2 / fan))

    def node(self, operator: str, *inputs: str, layer: str = "", **attributes: Attribute) -> str:
        """One output of one operator."""
        return self.nodes(operator, inputs, 1, layer, **attributes)[0]

    def nodes(self, operator: str, inputs: Sequence[str], outputs: int, layer: str = "", **attributes: Attribute) -> list[str]:
        """All outputs of one operator."""
        where = self.path(layer).replace(".", "/")
        name = self._free(f"/{where}/{operator}" if where else f"/{operator}")
        made = [f"{name}_output_{place}" for place in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, made, name=name, **attributes))  # type: ignore[arg-type]
        return made

    def _free(self, name: str) -> str:
        count = self._taken.get(name, 0)
        self._taken[name] = count + 1
        return f"{name}_{count}" if count else name

    # What goes in and out

    def image(self, channels: int, side: int, name: str = "image") -> Maps:
        """An input (batch, channels, side, side), FP32."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, side, side]))
        return Maps(name, channels, side)

    def ids(self, name: str, length: int) -> str:
        """An input (batch, length), INT64."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", length]))
        return name

    def output(self, tensor: str, name: str, *shape: int) -> None:
        """An output (batch, *shape), FP32."""
        self.rename(tensor, name)
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]))

    def model(self, name: str, notes: Mapping[str, str]) -> ModelProto:
        """The model, checked. `notes`: entries of its metadata."""
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._held)
        made = helper.make_model(graph, producer_name="edgetui zoo", opset_imports=[helper.make_opsetid("", OPSET)])
        made.ir_version = IR
        helper.set_model_props(made, dict(notes))
        onnx.checker.check_model(made, full_check=True)
        return made

    def rename(self, tensor: str, name: str) -> None:
        """Give what a node makes another name."""
        for node in self._nodes:
            for names in (node.input, node.output):
                for place, known in enumerate(names):
                    if known == tensor:
                        names[place] = name

    # Layers over maps

    def conv(
        self, x: Maps, out: int, kernel: int = 3, stride: int = 1, *, groups: int = 1, bias: bool = False, layer: str = "conv"
    ) -> Maps:
        """A convolution that keeps the side, or divides it by `stride`."""
        fan = x.channels // groups * kernel * kernel
        given = [self.drawn(f"{layer}.weight", out, x.channels // groups, kernel, kernel, fan=fan)]
        given += [self.held(f"{layer}.bias", np.zeros(out))] if bias else []
        made = self.node(
            "Conv",
            x.name,
            *given,
            layer=layer,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
            group=groups,
        )
        return Maps(made, out, -(-x.side // stride))

    def upconv(self, x: Maps, out: int, layer: str = "upconv") -> Maps:
        """A transposed convolution of 4x4 that doubles the side."""
        weight = self.drawn(f"{layer}.weight", x.channels, out, 4, 4, fan=4 * x.channels)
        made = self.node("ConvTranspose", x.name, weight, layer=layer, kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4)
        return Maps(made, out, 2 * x.side)

    def norm(self, x: Maps, layer: str = "norm") -> Maps:
        """A batch normalisation (Ioffe and Szegedy 2015) that changes nothing yet."""
        names = ("weight", "bias", "running_mean", "running_var")
        figures = [
            self.held(f"{layer}.{name}", np.full(x.channels, float(place in (0, 3)))) for place, name in enumerate(names)
        ]
        return Maps(self.node("BatchNormalization", x.name, *figures, layer=layer, epsilon=1e-5), x.channels, x.side)

    def act(self, x: Maps, kind: str = "relu") -> Maps:
        """relu, silu, hardswish or none."""
        return Maps(self.activation(x.name, kind), x.channels, x.side)

    def activation(self, name: str, kind: str) -> str:
        """The same of any tensor; gelu and sigmoid too."""
        if kind == "none":
            return name
        if kind == "silu":
            return self.node("Mul", name, self.node("Sigmoid", name))
        if kind == "gelu":
            shifted = self.node("Add", self.node("Erf", self.node("Div", name, self.number(np.sqrt(2)))), self.number(1.0))
            return self.node("Mul", self.node("Mul", name, shifted), self.number(0.5))
        return self.node({"relu": "Relu", "hardswish": "HardSwish", "sigmoid": "Sigmoid"}[kind], name)

    def block(
        self, x: Maps, out: int, kernel: int = 3, stride: int = 1, *, groups: int = 1, act: str = "relu", layer: str = ""
    ) -> Maps:
        """Convolution, batch normalisation, activation."""
        with self.within(layer):
            return self.act(self.norm(self.conv(x, out, kernel, stride, groups=groups)), act)

    def add(self, one: Maps, other: Maps) -> Maps:
        """The sum of two of one shape."""
        return Maps(self.node("Add", one.name, other.name), one.channels, one.side)

    def joined(self, *parts: Maps) -> Maps:
        """Channels of all, one after another."""
        made = self.node("Concat", *(part.name for part in parts), axis=1)
        return Maps(made, sum(part.channels for part in parts), parts[0].side)

    def pooled(self, x: Maps, kind: str, kernel: int, stride: int) -> Maps:
        """MaxPool or AveragePool; padded where the kernel is odd, and then the side is kept or divided."""
        pads = [kernel // 2 if kernel % 2 else 0] * 4
        more: dict[str, Any] = {"count_include_pad": 1} if kind == "AveragePool" else {}
        made = self.node(kind, x.name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, **more)
        return Maps(made, x.channels, (x.side + 2 * pads[0] - kernel) // stride + 1)

    def enlarged(self, x: Maps, times: int, mode: str = "nearest") -> Maps:
        """The side times `times`."""
        how = {"nearest": "asymmetric", "linear": "half_pixel"}[mode]
        more: dict[str, Any] = {"nearest_mode": "floor"} if mode == "nearest" else {}
        scales = self.held("scales", np.array([1.0, 1.0, times, times]))
        made = self.node("Resize", x.name, "", scales, mode=mode, coordinate_transformation_mode=how, **more)
        return Maps(made, x.channels, times * x.side)

    def averaged(self, x: Maps) -> Vector:
        """The mean of each channel."""
        return Vector(self.node("Flatten", self.node("GlobalAveragePool", x.name)), x.channels)

    # Layers over vectors and tokens

    def linear(self, x: Vector, out: int, layer: str = "fc") -> Vector:
        """A fully connected layer."""
        weight = self.drawn(f"{layer}.weight", out, x.width, fan=2 * x.width)
        made = self.node("Gemm", x.name, weight, self.held(f"{layer}.bias", np.zeros(out)), layer=layer, transB=1)
        return Vector(made, out)

    def dense(self, x: Tokens, out: int, layer: str) -> Tokens:
        """The same of each token."""
        weight = self.drawn(f"{layer}.weight", x.width, out, fan=2 * x.width)
        bias = self.held(f"{layer}.bias", np.zeros(out))
        return Tokens(self.node("Add", self.node("MatMul", x.name, weight, layer=layer), bias, layer=layer), x.length, out)

    def layer_norm(self, x: Tokens, layer: str) -> Tokens:
        """Each token by itself (Ba et al. 2016)."""
        scale, shift = self.held(f"{layer}.weight", np.ones(x.width)), self.held(f"{layer}.bias", np.zeros(x.width))
        made = self.node("LayerNormalization", x.name, scale, shift, layer=layer, axis=-1, epsilon=1e-5)
        return Tokens(made, x.length, x.width)

    def embedded(self, ids: str, vocabulary: int, length: int, width: int) -> Tokens:
        """A row of a table for each id; that of id 0, which pads, is zero."""
        table = self.draw.standard_normal((vocabulary, width)) * 0.1
        table[0] = 0
        return Tokens(self.node("Gather", self.held("embedding.weight", table), ids, layer="embedding"), length, width)
