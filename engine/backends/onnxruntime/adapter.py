"""ONNX Runtime on the CPU: the backend that works everywhere.

Apart from the other backends because it alone imports `onnxruntime`, inside functions.

A plan is the graph as ONNX Runtime itself optimised it, saved, and loaded with the optimiser off. Measured on three models
against loading the lowered model: latency the same within the noise, load time 1.8 ms for 3.6, 2.3 for 7.4, 4.8 for 11.2
(saving at level `extended` and optimising the rest at load: 3.3, 4.0, 7.2). The price: memory layouts and kernels are then
chosen for this processor and this version, so the plan says for which and is refused elsewhere.
"""

from __future__ import annotations

import errno
import os
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from ...errors import BackendRefused, PlanRefused, StorageRefused, from_os_error
from ...schema.model_facts import TensorFacts
from ...schema.plan import PlanFacts
from ...schema.settings import BackendSettings
from ...schema.stamps import BackendStamp
from ...system.cpu import physical_cores, read_processor
from ...system.disk import free_bytes
from ...system.onnx_metadata import BUILT_FOR, BUILT_WITH, add_metadata, read_metadata
from ...system.reporter import Reporter
from ..base import Alone, Backend, Session
from ..feeds import refuse_names
from .error_messages import runtime_errors, translated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession, NodeArg, SessionOptions

    from ..base import Feeds, MakeInputs

_PROVIDER = "CPUExecutionProvider"
_MOVES_PAIRS = "QDQPropagationTransformer"
_EXTERNAL_ABOVE_BYTES = 1_500_000_000
"""A protobuf message ends at 2 GiB; weights above this go into a file beside the plan."""
_EXTERNAL_LEAST_BYTES = 1024
_LOW_DISK_BYTES = 1_000_000
_MOST_AT_ONCE = 4
"""Each has the activations of its own inference in memory."""


class OnnxRuntime(Backend):
    """See `base.Backend`."""

    name = "onnxruntime"
    suffix = ".onnx"

    def check(self, settings: BackendSettings, *, execute: bool) -> None:
        """Refuse where onnxruntime is not installed; what it builds it also runs.

        Raises:
            BackendRefused: onnxruntime is not installed.
        """
        del settings, execute
        _runtime()

    def stamp(self, settings: BackendSettings) -> BackendStamp:
        """Version, threads and options, for the result.

        Raises:
            BackendRefused: onnxruntime is not installed.
        """
        return BackendStamp(
            name=self.name,
            version=_runtime().__version__,
            threads=settings.threads or physical_cores(),
            graph=settings.graph,
            provider=_PROVIDER,
        )

    def target(self) -> str:
        """`onnxruntime-arm` on Arm, else `onnxruntime-x86`."""
        return "onnxruntime-arm" if platform.machine().startswith(("aarch64", "arm")) else "onnxruntime-x86"

    def build(self, onnx: Path, out: Path, settings: BackendSettings, say: Reporter) -> str:
        """Write the optimised graph of `onnx` to the file `out` (large weights to `out.data`).

        Raises:
            BackendRefused: the model cannot be built here; the message names the node.
            StorageRefused: it cannot be written.
        """
        options = _options(settings)
        options.optimized_model_filepath = str(out)
        if _size_bytes(onnx) > _EXTERNAL_ABOVE_BYTES:
            key = "session.optimized_model_external_initializers_"
            options.add_session_config_entry(key + "file_name", out.name + ".data")
            options.add_session_config_entry(key + "min_size_in_bytes", str(_EXTERNAL_LEAST_BYTES))
        say.note(f"optimising {onnx.name} for onnxruntime {_runtime().__version__} at level {settings.graph}")
        try:
            out.touch()
            if not _open(onnx, options)[1] and settings.graph != "off":
                say.warn("onnxruntime's optimizer cannot handle this model: the plan is the graph as it is (graph = off)")
            add_metadata(out, {BUILT_WITH: _runtime().__version__, BUILT_FOR: read_processor().instruction_sets})
            read_metadata(out)
        except OSError as error:
            raise from_os_error(error, path=out) from None
        except ValueError:
            raise _no_space(out) or BackendRefused(
                f"onnxruntime wrote only a part of {out.name}", fix="check the disk, then try again"
            ) from None
        except runtime_errors() as error:
            refused = _no_space(out) or translated(error)
            out.unlink()
            raise refused from None
        return f"plan of {out.stat().st_size / 1e6:.2f} MB"

    def describe(self, plan: Path) -> PlanFacts:
        """With the stamp of who built it."""
        built = read_metadata(plan)
        words = {"built with": f"onnxruntime {built.get(BUILT_WITH, '')}", "for": built.get(BUILT_FOR, "")}
        return msgspec.structs.replace(super().describe(plan), built=words)

    def look_inside(self, plan: Path, settings: BackendSettings, inputs: MakeInputs, alone: Alone) -> PlanFacts:
        """By the profiler, which times every node of every inference.

        Raises:
            PlanRefused, BackendRefused: it cannot be loaded here.
            StorageRefused: the profiler's file cannot be written.
        """
        from .layers import look

        known = super().look_inside(plan, settings, inputs, alone)
        feeds = inputs(known.inputs)
        with alone():
            try:
                seen = look(lambda profile: self.load(plan, settings, profile=profile), feeds)
            except OSError as error:
                raise StorageRefused(
                    f"the profiler's file cannot be written ({error.strerror})",
                    fix="free some space, or set TMPDIR",
                ) from None
        return msgspec.structs.replace(
            known,
            layers=seen.layers,
            inferences=seen.inferences,
            inference_ms=seen.inference_ms,
            islands=sum(layer.island for layer in seen.layers),
        )

    def load_resting(self, plan: Path, settings: BackendSettings) -> OnnxRuntimeSession:
        """With threads that spin within an inference and not behind it: they stay awake for 0.05 ms of 20.

        Raises:
            PlanRefused, BackendRefused: as `load`.
        """
        return self.load(plan, settings, resting=True)

    def refuse_plan(self, plan: Path, settings: BackendSettings) -> None:
        """Refuse what was built for another processor or by another onnxruntime.

        Raises:
            PlanRefused: so it is; or it is missing, or broken.
        """
        del settings
        _built_here(plan)

    def load(
        self,
        plan: Path,
        settings: BackendSettings,
        *,
        cooperative: bool = False,
        profile: Path | None = None,
        resting: bool = False,
    ) -> OnnxRuntimeSession:
        """Load a plan of `build`, or any ONNX file (which is optimised first, as `settings.graph` says).

        `cooperative`: its threads sleep whenever they have nothing to do, so that several callers can infer at once; the number
        of threads, and with it how sums are grouped, stays what is deployed. On two busy cores a sample of ResNet-20 and its
        INT8 twin takes 1.3 ms that way with two callers, and 3.0 with one whose threads spin until its inference ends.
        `profile`: what the profiler's file shall begin with; `end_profile` ends it. `resting`: as `load_resting`.

        Raises:
            PlanRefused: built for another processor or another onnxruntime, missing, or broken.
            BackendRefused: onnxruntime cannot execute it; the message names the node.
        """
        if _built_here(plan):
            settings = BackendSettings(name=settings.name, threads=settings.threads, graph="off")
        try:
            options = _options(settings, cooperative=cooperative)
            if profile is not None:
                options.enable_profiling, options.profile_file_prefix = True, str(profile)
            if resting:
                options.add_session_config_entry("session.force_spinning_stop", "1")
            at_once = min(options.intra_op_num_threads, _MOST_AT_ONCE) if cooperative else 1
            return OnnxRuntimeSession(_open(plan, options)[0], at_once)
        except runtime_errors() as error:
            raise translated(error) from None


class OnnxRuntimeSession(Session):
    """See `base.Session`."""

    def __init__(self, session: InferenceSession, max_concurrency: int = 1) -> None:
        self._session: InferenceSession | None = session
        self.max_concurrency = max_concurrency
        self.inputs = tuple(_facts(tensor) for tensor in session.get_inputs())
        self.outputs = tuple(_facts(tensor) for tensor in session.get_outputs())
        self._names = [tensor.name for tensor in self.outputs]

    def run(self, feeds: Feeds) -> dict[str, NDArray[np.generic]]:
        """One inference; output name to a fresh array.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
            BackendRefused: the inference failed.
        """
        session = self._opened()
        refuse_names(self.inputs, feeds)
        try:
            return dict(zip(self._names, session.run(self._names, dict(feeds)), strict=True))
        except (ValueError, RuntimeError) as error:  # what Python's side of it raises
            raise translated(error) from None
        except runtime_errors() as error:
            raise translated(error) from None

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """A call that makes one inference on `feeds`; inputs and outputs are bound to memory once, here.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
        """
        made = self.run(feeds)
        ort, binding = _runtime(), self._opened().io_binding()
        for tensor in self.inputs:
            binding.bind_ortvalue_input(tensor.name, ort.OrtValue.ortvalue_from_numpy(feeds[tensor.name]))
        for name, array in made.items():
            if hasattr(array, "nbytes") and array.nbytes and array.dtype.kind != "O":
                binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
            else:  # texts, sequences and empty outputs have no memory that could be kept
                binding.bind_output(name)
        infer = self._opened().run_with_iobinding

        def once() -> None:
            infer(binding)

        once()
        return once

    def over(self, samples: Sequence[Feeds]) -> Callable[[int], dict[str, NDArray[np.generic]]]:
        """As `timed`: outputs are bound to memory once, and of each sample its own arrays are bound before the inference.

        Raises:
            DataRefused: an array of `samples` does not fit its input, or one is missing.
        """
        made = self.run(samples[0])
        if not all(hasattr(array, "nbytes") and array.nbytes and array.dtype.kind != "O" for array in made.values()):
            return super().over(samples)  # texts, sequences and empty outputs have no memory that could be kept
        for feeds in samples[1:]:
            refuse_names(self.inputs, feeds)
        ort, binding = _runtime(), self._opened().io_binding()
        given = [
            [(tensor.name, ort.OrtValue.ortvalue_from_numpy(feeds[tensor.name])) for tensor in self.inputs] for feeds in samples
        ]
        for name, array in made.items():
            binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
        infer, bind = self._opened().run_with_iobinding, binding.bind_ortvalue_input

        def once(number: int) -> dict[str, NDArray[np.generic]]:
            for name, value in given[number]:
                bind(name, value)
            infer(binding)
            return made

        return once

    def _opened(self) -> InferenceSession:
        if self._session is None:
            raise BackendRefused("the plan was closed", fix="load it again")
        return self._session

    def end_profile(self) -> Path:
        """The file in which the profiler wrote every node of every inference so far."""
        return Path(self._opened().end_profiling())

    def close(self) -> None:
        """Drop the session; its threads end and its arena is freed."""
        self._session = None


def _runtime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendRefused(
            f"onnxruntime cannot be imported ({error})", fix="install it with `pip install onnxruntime`"
        ) from None
    # Everything it would print is raised as an error too; its warnings name C++ lines, hundreds for one old model.
    onnxruntime.set_default_logger_severity(4)
    module: ModuleType = onnxruntime
    return module


def _options(settings: BackendSettings, *, cooperative: bool = False) -> SessionOptions:
    """Session options. Threads keep spinning for a while after an inference, as ONNX Runtime ships it: without that one image
    of ResNet-20 takes 0.86 ms for 0.48. Whoever measures two sessions in turn lets the other's threads fall asleep first
    (`measure.latency.wait_for_threads_to_sleep`), or pays 20 % to them.
    """
    ort = _runtime()
    options = ort.SessionOptions()
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = {
        "off": levels.ORT_DISABLE_ALL,
        "basic": levels.ORT_ENABLE_BASIC,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "all": levels.ORT_ENABLE_ALL,
    }[settings.graph]
    options.intra_op_num_threads = settings.threads or physical_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if cooperative:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _open(path: Path, options: SessionOptions) -> tuple[InferenceSession, bool]:
    """A session, and whether its graph was optimised as asked; without one of the optimisers where that spoils the graph, and
    without all where that alone helps (one infers shapes inside a branch that is never taken, and gives up).

    ONNX Runtime 1.31 moves Q/DQ pairs through the Reshapes that it puts around a matrix product with a bias, and from opset 21
    on gives those of signed integers a zero-point of unsigned ones, which it then refuses.
    """
    ort = _runtime()
    try:
        return ort.InferenceSession(str(path), options, providers=[_PROVIDER]), True
    except runtime_errors() as error:
        spoils = "does not match y_zero_point" in str(error)
        refused = error
    if spoils:
        return ort.InferenceSession(str(path), options, providers=[_PROVIDER], disabled_optimizers=[_MOVES_PAIRS]), True
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(str(path), options, providers=[_PROVIDER]), False
    except runtime_errors():
        raise refused from None


def _facts(tensor: NodeArg) -> TensorFacts:
    """ONNX Runtime says `tensor(float)`; a dynamic axis is a text or None."""
    match = re.fullmatch(r"tensor\((\w+)\)", tensor.type)
    return TensorFacts(name=tensor.name, dtype=match[1] if match else tensor.type, shape=tuple(tensor.shape))


def _built_here(plan: Path) -> bool:
    """Whether a file is a plan that was built for this machine; False: a model.

    Raises:
        PlanRefused: it was built for another, is missing, or broken.
    """
    try:
        built = read_metadata(plan)
    except FileNotFoundError:
        raise PlanRefused(f"{plan} is not there", fix="build it again with `edgetui build`") from None
    except OSError as error:
        raise PlanRefused(f"{plan} cannot be read ({error.strerror})", fix="check its permissions") from None
    except ValueError as error:
        raise PlanRefused(
            f"{plan.name} is not an ONNX file, or a truncated one ({error})", fix="export or build it again"
        ) from None
    if BUILT_FOR in built:
        _check_built_here(plan, built)
    return BUILT_FOR in built


def _check_built_here(plan: Path, built: dict[str, str]) -> None:
    rebuild = "build it again on this machine with `edgetui build`"
    here, version = read_processor().instruction_sets, _runtime().__version__
    if built[BUILT_FOR] != here:
        raise PlanRefused(f"{plan.name} was built for another processor ({built[BUILT_FOR]}; this one: {here})", fix=rebuild)
    if built.get(BUILT_WITH) != version:
        raise PlanRefused(f"{plan.name} was built with onnxruntime {built.get(BUILT_WITH)}, and this is {version}", fix=rebuild)


def _size_bytes(onnx: Path) -> int:
    """The file, and those beside it that it names as its external data."""
    size = onnx.stat().st_size
    if size > _EXTERNAL_ABOVE_BYTES:
        return size
    large = [path for path in onnx.parent.iterdir() if path != onnx and path.is_file() and path.stat().st_size > 1 << 20]
    content = onnx.read_bytes() if large else b""
    return size + sum(path.stat().st_size for path in large if path.name.encode() in content)


def _no_space(out: Path) -> StorageRefused | None:
    """ONNX Runtime says only `serialization failed` when the disk is full; asked while the part it wrote still fills it."""
    if free_bytes(out.parent) > _LOW_DISK_BYTES:
        return None
    return from_os_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out)))
