"""One try to build a plan, in this process: network, parser, configuration, builder.

Every capability is asked for by its name on the objects at hand: TensorRT 8.5, 8.6, 10 and 11 and TensorRT-RTX have no common
set, and the numbers behind its enum members move between versions. The stubs that mypy checks the calls against are 10.13's;
what other versions lack or have instead goes through `getattr`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import Fix
from ...graph.metadata import HALF, Halved, read_entries
from ...schema.model_facts import TensorFacts
from ...schema.settings import TensorRtSettings
from ...system.atomic_write import write_atomic
from ...system.onnx_metadata import read_metadata
from . import error_messages
from .build_messages import BuildMessage, BuildRequest, Built, LogLine, Refused
from .installed import Installation
from .logger import Log, Monitored, logger, monitor, register_plugins
from .memory_limits import power_of_two
from .tensors import sizes, type_word

if TYPE_CHECKING:
    import tensorrt

Tell = Callable[[BuildMessage], None]
MIB = 1 << 20


class Stopped(Exception):
    """The try failed; `refused` says why."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.what)
        self.refused = refused


def build(request: BuildRequest, found: Installation, tell: Tell, cancelled: Callable[[], bool] = lambda: False) -> Built:
    """Write the plan to `request.out` and its timing cache to `request.cache`; returns what was built.

    `cancelled`: true from when the build shall stop at its next step, where this TensorRT has a progress monitor; what it has
    timed by then is kept.

    Raises:
        Stopped: TensorRT refused the model, or gave up.
        OSError: a file cannot be read or written.
    """
    return _Try(request, found, tell, cancelled).run()


class _Try:
    def __init__(self, request: BuildRequest, found: Installation, tell: Tell, cancelled: Callable[[], bool]) -> None:
        self.request, self.found, self.tell, self.cancelled = request, found, tell, cancelled
        self.api = found.api
        self.settings: TensorRtSettings = request.settings
        self.log = Log()

    def run(self) -> Built:
        watched = Monitored(self.tell, self.cancelled)
        listener = logger(self.api, self.log, watched)
        register_plugins(self.api, listener)
        try:
            builder: tensorrt.Builder = self.api.Builder(listener)
        except (RuntimeError, TypeError) as error:  # without a GPU TensorRT makes no builder: pybind then has nothing to hold
            raise Stopped(error_messages.building([*self.log.errors, str(error)])) from None
        network = self._parsed(builder, listener)
        config = builder.create_builder_config()
        precision = self._precisions(network, config)
        self._limits(config)
        self._target(config)
        # TensorRT sets this flag itself: both ways are said, so that no version's own choice is measured unnoticed.
        self._flag(config, "TF32", on=self.settings.tf32)
        dla_layers = self._dla(builder, network, config)
        if self.settings.sparse:
            self._flag(config, "SPARSE_WEIGHTS")
        detailed = getattr(getattr(self.api, "ProfilingVerbosity", None), "DETAILED", None)
        if detailed is not None:
            config.profiling_verbosity = detailed
        keeper = monitor(self.api, watched)
        if keeper is not None:
            config.progress_monitor = keeper
        self._use_cache(config)
        plan = builder.build_serialized_network(network, config)
        cache_bytes = self._keep_cache(config)
        if plan is None:
            raise Stopped(self._no_plan())
        Path(self.request.out).write_bytes(memoryview(plan))
        return Built(
            inputs=tuple(_facts(network.get_input(i)) for i in range(network.num_inputs)),
            outputs=tuple(_facts(network.get_output(i)) for i in range(network.num_outputs)),
            layers=network.num_layers,
            precision=precision,
            dla_layers=dla_layers,
            sparse_layers=self.log.sparse_layers,
            cache_bytes=cache_bytes,
        )

    def _no_plan(self) -> Refused:
        if self.cancelled():
            return Refused.of("the build was cancelled", "`edgetui resume` takes it up again")
        return error_messages.building(self.log.errors)

    def _parsed(self, builder: tensorrt.Builder, listener: tensorrt.ILogger) -> tensorrt.INetworkDefinition:
        kinds = self.api.NetworkDefinitionCreationFlag
        # From 10 on EXPLICIT_BATCH is the only way and its name is deprecated, then gone.
        wanted = "STRONGLY_TYPED" if self.found.strongly_typed else "EXPLICIT_BATCH"
        network = builder.create_network(1 << int(getattr(kinds, wanted)))
        parser: tensorrt.OnnxParser = self.api.OnnxParser(network, listener)
        adjust = getattr(getattr(self.api, "OnnxParserFlag", None), "ADJUST_FOR_DLA", None)
        if self.settings.dla_core is not None and adjust is not None:
            parser.set_flag(adjust)
        if not parser.parse_from_file(self.request.onnx):
            raise Stopped(error_messages.parsing(parser))
        for number in range(network.num_inputs):
            tensor = network.get_input(number)
            if -1 in sizes(tensor.shape):
                written = "x".join("?" if size == -1 else str(size) for size in sizes(tensor.shape))
                raise Stopped(
                    Refused.of(
                        f"input {tensor.name} has an axis without a size",
                        Fix("give each ? a number: {}", "shape", f"{tensor.name}={written}"),
                    )
                )
        self._decomposable(network)
        return network

    def _decomposable(self, network: tensorrt.INetworkDefinition) -> None:
        """Let attention be computed step by step where no fused kernel takes it; TensorRT refuses it otherwise, in FP32 mostly.

        TensorRT's `get_layer` gives a plain layer, which knows its attention under its own class only.
        """
        kind, begin = getattr(self.api.LayerType, "ATTENTION_INPUT", None), getattr(self.api, "IAttentionInputLayer", None)
        if kind is None or begin is None:
            return
        for number in range(network.num_layers):
            layer: Any = network.get_layer(number)
            if layer.type == kind:
                layer.__class__ = begin
                if hasattr(layer, "attention"):
                    layer.attention.decomposable = True

    def _precisions(self, network: tensorrt.INetworkDefinition, config: tensorrt.IBuilderConfig) -> str:
        """Before strong typing: flags over the same FP32 graph, kept nodes pinned to FP32. Never a calibrator."""
        if self.found.strongly_typed:
            return "strongly typed"
        layers = [network.get_layer(number) for number in range(network.num_layers)]
        used = []
        keep = half_annotation(Path(self.request.onnx))
        if keep is not None:
            self._flag(config, "FP16")
            used.append("FP16")
            self._pin(config, layers, keep)
        if any(layer.type == self.api.LayerType.QUANTIZE for layer in layers):
            self._flag(config, "INT8")
            used.append("INT8")
        return f"flags {' and '.join(used)}" if used else "FP32"

    def _pin(self, config: tensorrt.IBuilderConfig, layers: Iterable[tensorrt.ILayer], keep: set[str]) -> None:
        full = self.api.DataType.FLOAT
        pinned = [layer for layer in layers if layer.name in keep]
        for layer in pinned:
            layer.precision = full
            for number in range(layer.num_outputs):
                if layer.get_output(number).dtype == full:
                    layer.set_output_type(number, full)
        if pinned:
            self._flag(config, "OBEY_PRECISION_CONSTRAINTS")

    def _limits(self, config: tensorrt.IBuilderConfig) -> None:
        pools = getattr(self.api, "MemoryPoolType", None)
        limits = {"WORKSPACE": self.settings.workspace_mb, "TACTIC_DRAM": self.settings.tactic_memory_mb}
        for name, size_mb in limits.items():
            pool = getattr(pools, name, None)
            if size_mb is not None and pool is not None:
                if self.found.rtx and name == "TACTIC_DRAM" and size_mb != (taken := power_of_two(size_mb)):
                    # It would pass the limit over, with an error in its log that then stands for why no plan came out.
                    self.tell(LogLine(text=f"{self.found.label} takes powers of two: {taken} MB to try kernels in"))
                    size_mb = taken
                config.set_memory_pool_limit(pool, size_mb * MIB)
        level = self.settings.optimization_level
        if level is not None:
            if hasattr(config, "builder_optimization_level"):
                config.builder_optimization_level = level
            else:
                self.tell(LogLine(text=f"{self.found.label} has no optimisation levels: {level} was passed over", warning=True))

    def _target(self, config: tensorrt.IBuilderConfig) -> None:
        """Where a version builds for any GPU it lists (TensorRT-RTX): for the one that is asked for, else for the one here."""
        kinds = getattr(self.api, "ComputeCapability", None)
        wanted = self.settings.target or self.request.here
        if not wanted or kinds is None:
            return
        kind = getattr(kinds, wanted.replace("_", "").upper(), None)
        known = ", ".join(self.found.targets)
        if kind is None and self.settings.target:
            what = f"{self.found.label} does not build for {wanted}"
            raise Stopped(Refused.of(what, f"it builds for {known}; other boards build on themselves"))
        if (refused := self.found.refuse(wanted)) is not None:
            raise Stopped(Refused.of(refused.what, *refused.fixes))
        if kind is None:
            text = f"{self.found.label} does not list the GPU that is here ({wanted}; it lists {known}): its plan may not load"
            self.tell(LogLine(text=text, warning=True))
            return
        setting: Any = config
        setting.num_compute_capabilities = 1
        if not setting.set_compute_capability(kind, 0):
            raise Stopped(error_messages.building(self.log.errors))

    def _dla(
        self, builder: tensorrt.Builder, network: tensorrt.INetworkDefinition, config: tensorrt.IBuilderConfig
    ) -> int | None:
        core = self.settings.dla_core
        if core is None:
            return None
        if core >= getattr(builder, "num_DLA_cores", 0):
            raise Stopped(
                Refused.of(f"there is no DLA core {core} here", "leave dla_core out in edgetui.toml, [backend.tensorrt]")
            )
        config.default_device_type = self.api.DeviceType.DLA
        config.DLA_core = core
        self._flag(config, "GPU_FALLBACK")
        able = sum(bool(config.can_run_on_DLA(network.get_layer(number))) for number in range(network.num_layers))
        share = 1 - able / max(1, network.num_layers)
        text = f"DLA core {core} runs {able} of {network.num_layers} layers; {share:.0%} fall back to the GPU"
        self.tell(LogLine(text=text, warning=share > 0))
        return able

    def _flag(self, config: tensorrt.IBuilderConfig, name: str, *, on: bool = True) -> None:
        (config.set_flag if on else config.clear_flag)(getattr(self.api.BuilderFlag, name))

    def _use_cache(self, config: tensorrt.IBuilderConfig) -> None:
        if not self.request.cache:
            return
        kept = Path(self.request.cache)
        cache = config.create_timing_cache(kept.read_bytes() if kept.is_file() else b"")
        if not cache or not config.set_timing_cache(cache, ignore_mismatch=False):
            self.tell(LogLine(text="the timing cache is of another board or version: a new one is begun"))
            config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)

    def _keep_cache(self, config: tensorrt.IBuilderConfig) -> int:
        """Whole or not at all, and also after a failed build: the next try then knows what this one timed."""
        cache = config.get_timing_cache() if self.request.cache else None
        if not cache:
            return 0
        content = bytes(memoryview(cache.serialize()))
        kept = Path(self.request.cache)
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(kept, content)
        return len(content)


def half_annotation(onnx: Path) -> set[str] | None:
    """Nodes that stay in FP32 when the rest may be halved, as the step left them in the file; None: nobody asked for FP16."""
    found = read_entries(read_metadata(onnx), HALF, Halved)
    return None if found is None else set(found.keep)


def _facts(tensor: tensorrt.ITensor) -> TensorFacts:
    return TensorFacts(name=tensor.name, dtype=type_word(tensor.dtype), shape=sizes(tensor.shape))
