"""TensorRT of each generation with no more than the surface that the adapter may use there, and a GPU's driver.

`make("10.3")` gives a module; what it was asked stands in `module.asked`, what is alive in `module.alive`. A plan holds its
ONNX file, and executing it is ONNX Runtime reading and writing the addresses it was given, so that figures are real.
The half that executes is `fake_trt_runtime`.
Enum members have other numbers in each generation, as TensorRT's have. The surface follows the headers and bindings of each
release (NVIDIA/TensorRT, python/src/infer). Unknown attributes can be neither read nor set.
"""

from __future__ import annotations

import enum
import os
import signal
import time
from collections import Counter
from types import ModuleType

import fake_trt_runtime
import onnx

GENERATIONS = {
    "8.2": "8.2.1.8",
    "8.5": "8.5.2.2",
    "8.6": "8.6.2.3",
    "10.3": "10.3.0",
    "10.13": "10.13.3.9",
    "11": "11.4.1.3",
    "rtx": "1.3.0.35",
}
AS = {"rtx": "tensorrt_rtx"}
"""What a generation is imported as where that is not `tensorrt`."""
_ONNX_TYPES = {1: "FLOAT", 10: "HALF", 6: "INT32", 9: "BOOL", 3: "INT8", 7: "INT64", 16: "BF16"}


def make(generation: str) -> ModuleType:
    """A fresh fake, nothing asked of it yet."""
    rtx = generation == "rtx"  # builds on TensorRT 10, and for any GPU that it lists
    number = (10, 9) if rtx else tuple(int(part) for part in GENERATIONS[generation].split(".")[:2])
    old, ten, eleven = number < (9, 0), number >= (10, 0), number >= (11, 0)
    api = ModuleType("tensorrt")
    api.__version__ = GENERATIONS[generation]
    api.asked = []
    api.alive = Counter()
    api.trouble = {}
    """`parse`: (node, operator, text); `memory_above`: MiB of workspace that make it fail; `kill_above`: MiB that kill it;
    `hang`: seconds that a build is silent; `steps`: of the monitor, 20 ms each; `refuse`: text of an error;
    `refuse_half`: of one where weights are half floats;
    `no_context`; `no_graph`: execution cannot be recorded."""
    asked = api.asked.append

    def words(name: str, names: str, first: int = 0) -> type[enum.IntEnum]:
        return enum.IntEnum(name, {word: place for place, word in enumerate(names.split(), first)})

    network_flags = "EXPLICIT_BATCH" if old else "STRONGLY_TYPED" if eleven else "EXPLICIT_BATCH STRONGLY_TYPED"
    api.NetworkDefinitionCreationFlag = words("NetworkDefinitionCreationFlag", network_flags)
    shared = "DEBUG GPU_FALLBACK REFIT TF32 SPARSE_WEIGHTS"
    weak = "FP16 INT8 " if not eleven else ""
    obey = " OBEY_PRECISION_CONSTRAINTS" if number >= (8, 2) and not eleven else ""
    api.BuilderFlag = words("BuilderFlag", weak + shared + obey, first=3 if eleven else 0)
    pools = "WORKSPACE DLA_MANAGED_SRAM" + (" TACTIC_DRAM" if number >= (8, 6) else "")
    if number >= (8, 4):
        api.MemoryPoolType = words("MemoryPoolType", pools + (" TACTIC_SHARED_MEMORY" if ten else ""))
    api.DataType = words("DataType", "FLOAT HALF INT8 INT32 BOOL" + (" UINT8 FP8 BF16 INT64" if ten else ""))
    kinds = "CONVOLUTION QUANTIZE DEQUANTIZE OTHER" + (" ATTENTION_INPUT" if eleven else "")
    api.LayerType = words("LayerType", kinds, first=number[0])
    if eleven:
        api.OnnxParserFlag = words("OnnxParserFlag", "NATIVE_INSTANCENORM ADJUST_FOR_DLA")
    api.DeviceType = words("DeviceType", "GPU DLA")
    api.ProfilingVerbosity = words("ProfilingVerbosity", "LAYER_NAMES_ONLY NONE DETAILED")
    api.LayerInformationFormat = words("LayerInformationFormat", "ONELINE JSON")
    if rtx:
        api.ComputeCapability = words("ComputeCapability", "NONE CURRENT SM75 SM80 SM86 SM87 SM89")
    if number >= (8, 5):
        api.TensorIOMode = words("TensorIOMode", "NONE INPUT OUTPUT")

    class Counted:
        __slots__ = ("__weakref__",)

        def __new__(cls, *_: object, **__: object) -> Counted:
            api.alive[cls.__name__] += 1
            return object.__new__(cls)

        def __del__(self) -> None:
            api.alive[type(self).__name__] -= 1

    class ILogger:
        Severity = words("Severity", "INTERNAL_ERROR ERROR WARNING INFO VERBOSE")

        def __init__(self) -> None:
            self.started = True

    class IProfiler:
        def __init__(self) -> None:
            self.started = True

    class Dims(tuple):
        __slots__ = ()

    class ITensor:
        __slots__ = ("dtype", "name", "shape")

        def __init__(self, value: onnx.ValueInfoProto) -> None:
            kind = value.type.tensor_type
            self.name = value.name
            name = _ONNX_TYPES[kind.elem_type]
            self.dtype = api.DataType["INT32" if name == "INT64" and old else name]
            self.shape = Dims(axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim)

    class ILayer:
        __slots__ = ("name", "num_outputs", "type") + (() if eleven else ("_precision", "output_types"))

        def __init__(self, node: onnx.NodeProto) -> None:
            self.name, self.num_outputs = node.name, len(node.output)
            kinds = {"QuantizeLinear": "QUANTIZE", "DequantizeLinear": "DEQUANTIZE", "Conv": "CONVOLUTION"}
            if eleven:
                kinds["Attention"] = "ATTENTION_INPUT"
            self.type = api.LayerType[kinds.get(node.op_type, "OTHER")]

        def get_output(self, number: int) -> ITensor:
            value = onnx.helper.make_tensor_value_info("x", 1, [1])
            assert 0 <= number < self.num_outputs
            return ITensor(value)

        if not eleven:

            @property
            def precision(self) -> object:
                return self._precision

            @precision.setter
            def precision(self, kind: enum.IntEnum) -> None:
                asked(("precision", self.name, kind.name))

            def set_output_type(self, number: int, kind: enum.IntEnum) -> None:
                asked(("output_type", self.name, number, kind.name))

    class IAttention:
        __slots__ = ("name",)

        def __init__(self, name: str) -> None:
            self.name = name

        def _decompose(self, on: bool) -> None:
            asked(("decomposable", self.name, on))

        decomposable = property(lambda _: False, _decompose)

    class IAttentionInputLayer(ILayer):
        __slots__ = ()

        @property
        def attention(self) -> IAttention:
            return IAttention(self.name)

    class INetworkDefinition(Counted):
        __slots__ = ("inputs", "layers", "model", "outputs")

        num_layers = property(lambda self: len(self.layers))
        num_inputs = property(lambda self: len(self.inputs))
        num_outputs = property(lambda self: len(self.outputs))

        def get_layer(self, number: int) -> ILayer:
            return self.layers[number]

        def get_input(self, number: int) -> ITensor:
            return self.inputs[number]

        def get_output(self, number: int) -> ITensor:
            return self.outputs[number]

    class ParserError:
        __slots__ = ("what",)

        def __init__(self, what: tuple[str, str, str]) -> None:
            self.what = what

        def desc(self) -> str:
            return self.what[2]

        def node(self) -> int:
            return 7

        if not old:

            def node_name(self) -> str:
                return self.what[0]

            def node_operator(self) -> str:
                return self.what[1]

    class OnnxParser(Counted):
        __slots__ = ("network", "num_errors")

        def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
            assert logger.started
            self.network, self.num_errors = network, 0

        def parse_from_file(self, path: str) -> bool:
            assert api.plugins, "plugins are registered before anything is parsed"
            asked(("parse",))
            if "parse" in api.trouble:
                self.num_errors = 1
                return False
            model = onnx.load(path)
            net = self.network
            net.model = model.SerializeToString()
            held = {tensor.name for tensor in model.graph.initializer}
            net.layers = [ILayer(node) for node in model.graph.node]
            net.inputs = [ITensor(value) for value in model.graph.input if value.name not in held]
            net.outputs = [ITensor(value) for value in model.graph.output]
            return True

        if eleven:

            def set_flag(self, flag: enum.IntEnum) -> None:
                assert isinstance(flag, api.OnnxParserFlag)
                asked(("parser flag", flag.name))

        def get_error(self, number: int) -> ParserError:
            assert number < self.num_errors
            return ParserError(api.trouble["parse"])

    class ITimingCache:
        __slots__ = ("content",)

        def __init__(self, content: bytes) -> None:
            self.content = content

        def serialize(self) -> bytes:
            return self.content or b"timed"

    class IBuilderConfig(Counted):
        __slots__ = (
            ("DLA_core", "_cache", "_flags", "_level", "_limits", "_monitor", "default_device_type", "profiling_verbosity")
            + (("builder_optimization_level",) if number >= (8, 6) else ())
            + (("progress_monitor",) if ten else ())
            + (("max_workspace_size",) if old else ())
            + (("num_compute_capabilities",) if rtx else ())
        )

        def __init__(self) -> None:
            self._cache, self._limits, self._flags = None, {}, set()
            if number >= (8, 6):
                self.builder_optimization_level = 3

        def set_flag(self, flag: enum.IntEnum) -> None:
            assert isinstance(flag, api.BuilderFlag)
            asked(("flag", flag.name))
            self._flags.add(flag.name)

        if rtx:

            def set_compute_capability(self, kind: enum.IntEnum, place: int) -> bool:
                assert isinstance(kind, api.ComputeCapability)
                asked(("target", kind.name))
                return place < self.num_compute_capabilities

        def clear_flag(self, flag: enum.IntEnum) -> None:
            assert isinstance(flag, api.BuilderFlag)
            asked(("no flag", flag.name))

        def create_timing_cache(self, content: bytes) -> ITimingCache:
            return ITimingCache(content)

        def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
            assert not ignore_mismatch
            fits = cache.content != b"of another board"
            asked(("timing_cache", cache.content, fits))
            if fits:
                self._cache = cache
            return fits

        def get_timing_cache(self) -> ITimingCache | None:
            return self._cache

        def can_run_on_DLA(self, layer: ILayer) -> bool:  # noqa: N802
            return layer.type == api.LayerType.CONVOLUTION

        if number >= (8, 4):

            def set_memory_pool_limit(self, pool: enum.IntEnum, size: int) -> None:
                assert isinstance(pool, api.MemoryPoolType)
                self._limits[pool.name] = size
                asked(("limit", pool.name, size >> 20))

    class IHostMemory(bytes):
        pass

    class Builder(Counted):
        __slots__ = ("logger",)
        num_DLA_cores = 2  # noqa: N815

        def __init__(self, logger: ILogger) -> None:
            assert logger.started
            self.logger = logger

        def create_network(self, flags: int = 0) -> INetworkDefinition:
            names = [flag.name for flag in api.NetworkDefinitionCreationFlag if flags & 1 << flag]
            assert not old or names == ["EXPLICIT_BATCH"]
            asked(("network", *names))
            return INetworkDefinition()

        def create_builder_config(self) -> IBuilderConfig:
            return IBuilderConfig()

        def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
            asked(("build", *((config.builder_optimization_level,) if number >= (8, 6) else ())))
            trouble, error = api.trouble, ILogger.Severity.ERROR
            room = config._limits.get("WORKSPACE", 1 << 40) >> 20
            watch = getattr(config, "progress_monitor", None)
            if watch is not None:
                watch.phase_start("Building engine", None, 2)
                watch.step_complete("Building engine", 0)
                watch.phase_start("Timing tactics", "Building engine", 4)
                watch.step_complete("Timing tactics", 1)
            else:
                self.logger.log(ILogger.Severity.INFO, "Graph optimization time: 0.1 seconds.")
            for _ in range(trouble.get("steps", 0)):
                time.sleep(0.02)
                if not watch.step_complete("Timing tactics", 1):
                    self.logger.log(error, "Error Code 7: BuildCanceled")
                    return None
            time.sleep(trouble.get("hang", 0))
            if room > trouble.get("kill_above", 1 << 40):
                os.kill(os.getpid(), signal.SIGKILL)
            if room > trouble.get("memory_above", 1 << 40):
                self.logger.log(
                    error, "[virtualMemoryBuffer.cpp::resizePhysical::145] Error Code 2: OutOfMemory (no further information)"
                )
                return None
            half = any(
                each.data_type == onnx.TensorProto.FLOAT16 for each in onnx.load_from_string(network.model).graph.initializer
            )
            if "refuse" in trouble or (half and "refuse_half" in trouble):
                self.logger.log(error, trouble.get("refuse", trouble.get("refuse_half")))
                return None
            if watch is not None:
                watch.phase_finish("Timing tactics")
                watch.step_complete("Building engine", 1)
                watch.phase_finish("Building engine")
            if "SPARSE_WEIGHTS" in config._flags:
                names = [layer.name for layer in network.layers if layer.type == api.LayerType.CONVOLUTION]
                text = f"TRT inference plan picked sparse implementation for layers: {', '.join(names)}"
                if ten:
                    text = f"Chose {len(names)} layer(s) using sparse tactics: {', '.join(names)}"
                    self.logger.log(ILogger.Severity.INFO, "(Sparsity) Found 40 layer(s) eligible to use sparse tactics: x")
                self.logger.log(ILogger.Severity.INFO, f"(Sparsity) {text}")
            return IHostMemory(b"plan" + network.model)

    runtime = fake_trt_runtime.make(api, number, Counted, ITensor)
    for part in (ILogger, IProfiler, OnnxParser, Builder, runtime):
        setattr(api, part.__name__, part)

    def init_libnvinfer_plugins(logger: ILogger, namespace: str) -> bool:
        assert logger.started
        assert namespace == ""
        api.plugins = True
        return True

    api.plugins = False
    api.init_libnvinfer_plugins = init_libnvinfer_plugins
    if eleven:
        api.IAttentionInputLayer = IAttentionInputLayer
    if ten:

        class IProgressMonitor:
            def __init__(self) -> None:
                self.started = True

        api.IProgressMonitor = IProgressMonitor
    return api
