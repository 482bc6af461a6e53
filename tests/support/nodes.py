"""Small networks, built node by node, and what the tests of rooms that read graphs do with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from edgetui.engine.graph.write import FOLDER_OPTION, for_session
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper


class Net:
    """A graph under construction; weights are drawn from a fixed seed."""

    def __init__(self, opset: int = 17) -> None:
        self.opset = opset
        self.draw = np.random.default_rng(7)
        self.nodes: list[NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.constants: list[TensorProto] = []

    def input(self, name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def weight(self, *shape: int, scale: float | None = None) -> str:
        spread = scale if scale is not None else 1.0 / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else shape[0])
        return self.constant((self.draw.standard_normal(shape) * spread).astype(np.float32), "w")

    def constant(self, values: object, stem: str = "c") -> str:
        name = f"{stem}{len(self.constants)}"
        array = np.asarray(values)
        self.constants.append(numpy_helper.from_array(array.astype(np.float32) if array.dtype == np.float64 else array, name))
        return name

    def node(self, operator: str, *inputs: str, name: str = "", outputs: int = 1, **attributes: object) -> str:
        made = [f"t{len(self.nodes)}" + (f"_{index}" if index else "") for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, made, name=name or f"n{len(self.nodes)}", **attributes))
        return made[0]

    def conv(self, source: str, channels: int, out: int, size: int = 3, **attributes: object) -> str:
        group = int(attributes.get("group", 1))  # type: ignore[call-overload]
        settings = {"pads": [size // 2] * 4, "kernel_shape": [size, size], **attributes}
        return self.node(
            "Conv", source, self.weight(out, channels // group, size, size), self.weight(out, scale=0.1), **settings
        )

    def model(self, *outputs: str) -> ModelProto:
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", self.inputs, values, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = min(model.ir_version, 10)
        full = onnx.shape_inference.infer_shapes(model)
        del full.graph.value_info[:]
        return full


class Bench:
    """Saving, running and looking at models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sessions: dict[bytes, ort.InferenceSession] = {}
        """By what a model is, byte for byte."""

    def save(self, model: ModelProto, name: str = "model.onnx") -> Path:
        path = self.folder / name
        onnx.save(model, path)
        return path

    @staticmethod
    def feeds(model: ModelProto, count: int, seed: int = 0) -> Iterator[dict[str, np.ndarray]]:
        draw = np.random.default_rng(seed)
        for _ in range(count):
            feed = {}
            for value in model.graph.input:
                shape = [axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim]
                whole = value.type.tensor_type.elem_type == TensorProto.INT64
                feed[value.name] = draw.integers(0, 10, shape) if whole else draw.standard_normal(shape).astype(np.float32)
            yield feed

    def run(self, path: Path | ModelProto, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs. A model that is run again has its session still, but for one whose weights lie in files."""
        source, folder = (path.read_bytes(), None) if isinstance(path, Path) else for_session(path)
        session = self._sessions.get(source)
        if session is None:
            options = ort.SessionOptions()
            options.intra_op_num_threads = 1
            options.log_severity_level = 3
            if folder is not None:
                options.add_session_config_entry(FOLDER_OPTION, str(folder))
            given = str(path) if isinstance(path, Path) else source
            session = ort.InferenceSession(given, options, providers=["CPUExecutionProvider"])
            if b"location" not in source:
                self._sessions[source] = session
        return session.run(None, feed)

    def optimised(self, path: Path) -> list[str]:
        """The operators that ONNX Runtime is left with."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        options.optimized_model_filepath = str(self.folder / "optimised.onnx")
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return [node.op_type for node in onnx.load(self.folder / "optimised.onnx").graph.node]
