"""The half of the fake TensorRT that loads and executes plans: runtime, engine, execution context, inspector."""

from __future__ import annotations

import ctypes
import enum
from types import ModuleType

import fake_cuda_graphs
import numpy as np
import onnx

_NUMPY = {"FLOAT": "float32", "HALF": "float16", "INT32": "int32", "BOOL": "bool", "INT8": "int8", "INT64": "int64"}


def make(api: ModuleType, number: tuple[int, int], counted: type, tensor_of: type) -> type:
    """The class `Runtime` of a generation; `counted` counts what is alive, `tensor_of` makes a tensor of an ONNX value."""
    old, eleven = number < (9, 0), number >= (11, 0)
    asked = api.asked.append

    class Context(counted):
        __slots__ = ("_addresses", "_engine", "profiler")

        def __init__(self, engine: Engine) -> None:
            self._engine, self._addresses, self.profiler = engine, {}, None

        def _put(self, stream: int) -> bool:
            """Into a stream; what TensorRT computes on the host in between is lost to a recording, so it refuses."""
            if "no_graph" in api.trouble and fake_cuda_graphs.recording(stream):
                return False
            fake_cuda_graphs.enqueue(stream, self._run)
            return True

        def _run(self) -> None:
            asked(("execute",))
            engine = self._engine
            feeds = {t.name: _at(self._addresses[t.name], t) for t in engine.inputs}
            if any(t.dtype.name == "INT32" for t in engine.inputs) and old:
                feeds = {name: array.astype(np.int64) if array.dtype == np.int32 else array for name, array in feeds.items()}
            for tensor, made in zip(engine.outputs, engine.session.run(None, feeds), strict=True):
                _at(self._addresses[tensor.name], tensor)[...] = made
            if self.profiler is not None:
                for layer in ("conv", "reformat"):
                    self.profiler.report_layer_time(layer, 0.25)

        if number >= (8, 5):

            def set_tensor_address(self, name: str, address: int) -> bool:
                self._addresses[name] = address
                return True

            def execute_async_v3(self, stream_handle: int) -> bool:
                assert stream_handle
                return self._put(stream_handle)

        if old:

            def execute_async_v2(self, bindings: list[int], stream_handle: int) -> bool:
                assert stream_handle
                self._addresses = dict(zip([t.name for t in self._engine.inputs + self._engine.outputs], bindings, strict=True))
                return self._put(stream_handle)

    class EngineInspector:
        def __init__(self, layers: list[str]) -> None:
            self.layers = layers

        def get_engine_information(self, form: enum.IntEnum) -> str:
            import json

            assert form.name == "JSON"
            found = [
                {
                    "Name": name,
                    "LayerType": "Reformat" if name == "reformat" else "CaskConvolution",
                    "Inputs": [{"Name": "x", "Format/Datatype": "Row major linear FP32"}],
                    "Outputs": [{"Name": "y", "Format/Datatype": "Channel major INT8 format"}],
                    "Metadata": "[ONNX Layer: n0]\x1e[ONNX Layer: n1]",
                    "TacticName": "sm80_sparse_int8" if name == "conv" else "",
                }
                for name in self.layers
            ]
            return json.dumps({"Layers": found, "I/O Tensors" if eleven else "Bindings": ["x", "y"]})

    class Engine(counted):
        __slots__ = ("inputs", "outputs", "session")

        def __init__(self, model: onnx.ModelProto) -> None:
            import onnxruntime

            self.inputs = [tensor_of(value) for value in model.graph.input]
            self.outputs = [tensor_of(value) for value in model.graph.output]
            self.session = onnxruntime.InferenceSession(model.SerializeToString())

        def create_execution_context(self) -> Context | None:
            return None if "no_context" in api.trouble else Context(self)

        def create_engine_inspector(self) -> EngineInspector:
            return EngineInspector(["conv", "reformat"])

        if not eleven:
            device_memory_size = 4096
        if number >= (10, 1):
            device_memory_size_v2 = 8192
        if number >= (8, 5):
            num_io_tensors = property(lambda self: len(self.inputs) + len(self.outputs))

            def get_tensor_name(self, number: int) -> str:
                return (self.inputs + self.outputs)[number].name

            def get_tensor_dtype(self, name: str) -> enum.IntEnum:
                return self._tensor(name).dtype

            def get_tensor_shape(self, name: str) -> tuple[int, ...]:
                return self._tensor(name).shape

            def get_tensor_mode(self, name: str) -> enum.IntEnum:
                return api.TensorIOMode.INPUT if name in {t.name for t in self.inputs} else api.TensorIOMode.OUTPUT

            def _tensor(self, name: str) -> object:
                return next(t for t in self.inputs + self.outputs if t.name == name)

        if old:
            num_bindings = property(lambda self: len(self.inputs) + len(self.outputs))

            def get_binding_name(self, number: int) -> str:
                return (self.inputs + self.outputs)[number].name

            def get_binding_dtype(self, number: int) -> enum.IntEnum:
                return (self.inputs + self.outputs)[number].dtype

            def get_binding_shape(self, number: int) -> tuple[int, ...]:
                return (self.inputs + self.outputs)[number].shape

            def binding_is_input(self, number: int) -> bool:
                return number < len(self.inputs)

    class Runtime(counted):
        __slots__ = ("DLA_core", "logger")

        def __init__(self, logger: object) -> None:
            assert logger.started
            self.logger = logger

        def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
            assert api.plugins, "plugins are registered before a plan is read"
            asked(("deserialize",))
            if not plan.startswith(b"plan"):
                self.logger.log(api.ILogger.Severity.ERROR, "magicTag mismatch")
                return None
            return Engine(onnx.load_from_string(plan[4:]))

    return Runtime


def _at(address: int, tensor: object) -> np.ndarray:
    """The array at an address of our device memory, which is the host's."""
    kind = np.dtype(_NUMPY[tensor.dtype.name])
    count = int(np.prod(tensor.shape, dtype=np.int64))
    memory = (ctypes.c_byte * (count * kind.itemsize)).from_address(address)
    return np.frombuffer(memory, kind).reshape(tensor.shape)
