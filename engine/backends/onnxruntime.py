"""ONNX Runtime on the CPU: the backend that works everywhere.

Apart from the other backends because it alone imports `onnxruntime`, inside functions.

A plan is the graph as ONNX Runtime itself optimised it, saved, and loaded with the optimiser off. Measured on three models
against loading the lowered model: latency the same within 1 %, load time 1.8 ms for 3.6, 2.3 for 7.4, 4.8 for 11.2 (saving
at level `extended` and optimising the rest at load: 3.3, 4.0, 7.2). The price: memory layouts and kernels are then chosen
for this processor and this version, so the plan says for which and is refused elsewhere.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import BackendRefused, DataRefused, EdgetuiError, PlanRefused, StorageRefused, from_os_error
from ..result import BackendStamp, TensorFacts
from ..say import Say
from ..spec import BackendSettings
from .host import instruction_sets, physical_cores
from .onnxfile import add_metadata, read_metadata

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession, NodeArg, SessionOptions

    from .base import Feeds, Session

_PROVIDER = "CPUExecutionProvider"
_BUILT_WITH, _BUILT_FOR = "edgetui.plan.onnxruntime", "edgetui.plan.processor"
_EXTERNAL_ABOVE_BYTES = 1_500_000_000
"""A protobuf message ends at 2 GiB; weights above this go into a file beside the plan."""
_EXTERNAL_LEAST_BYTES = 1024
_LOW_DISK_BYTES = 1_000_000


class OnnxRuntime:
    """See `base.Backend`."""

    name = "onnxruntime"

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

    def build(self, onnx: Path, out: Path, settings: BackendSettings, say: Say) -> str:
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
            _open(onnx, options)
            add_metadata(out, {_BUILT_WITH: _runtime().__version__, _BUILT_FOR: instruction_sets()})
            read_metadata(out)
        except OSError as error:
            raise from_os_error(error) from None
        except ValueError:
            raise _no_space(out) or BackendRefused(
                f"onnxruntime wrote only a part of {out.name}", fix="check the disk, then try again"
            ) from None
        except _errors() as error:
            refused = _no_space(out) or in_words(error)
            out.unlink()
            raise refused from None
        return f"plan of {out.stat().st_size / 1e6:.2f} MB"

    def load(self, plan: Path, settings: BackendSettings) -> Session:
        """Load a plan of `build`, or any ONNX file (which is optimised first, as `settings.graph` says).

        Raises:
            PlanRefused: built for another processor or another onnxruntime, missing, or broken.
            BackendRefused: onnxruntime cannot execute it; the message names the node.
        """
        try:
            built = read_metadata(plan)
        except FileNotFoundError:
            raise PlanRefused(f"{plan} is not there", fix="build it again with `edgetui build`") from None
        except OSError as error:
            raise PlanRefused(f"{plan} cannot be read ({error.strerror})", fix="check its permissions") from None
        except ValueError as error:
            raise PlanRefused(
                f"{plan.name} is no ONNX file, or a truncated one ({error})", fix="export or build it again"
            ) from None
        if _BUILT_FOR in built:
            _check_built_here(plan, built)
            settings = BackendSettings(name=settings.name, threads=settings.threads, graph="off")
        try:
            return _Session(_open(plan, _options(settings)))
        except _errors() as error:
            raise in_words(error) from None


class _Session:
    """See `base.Session`."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self.inputs = tuple(_facts(tensor) for tensor in session.get_inputs())
        self.outputs = tuple(_facts(tensor) for tensor in session.get_outputs())
        self._names = [tensor.name for tensor in self.outputs]

    def run(self, feeds: Feeds) -> dict[str, NDArray[np.generic]]:
        """One inference; output name to a fresh array.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
            BackendRefused: the inference failed.
        """
        try:
            return dict(zip(self._names, self._session.run(self._names, dict(feeds)), strict=True))
        except ValueError as error:
            raise in_words(error) from None
        except _errors() as error:
            raise in_words(error) from None

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """A call that makes one inference on `feeds`; inputs and outputs are bound to memory once, here.

        Raises:
            DataRefused: an array of `feeds` does not fit its input, or one is missing.
        """
        made = self.run(feeds)
        ort, binding = _runtime(), self._session.io_binding()
        for tensor in self.inputs:
            binding.bind_ortvalue_input(tensor.name, ort.OrtValue.ortvalue_from_numpy(feeds[tensor.name]))
        for name, array in made.items():
            if hasattr(array, "nbytes") and array.nbytes and array.dtype.kind != "O":
                binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
            else:  # texts, sequences and empty outputs have no memory that could be kept
                binding.bind_output(name)
        infer = self._session.run_with_iobinding

        def once() -> None:
            infer(binding)

        once()
        return once

    def plan_bytes(self) -> int | None:
        """None: ONNX Runtime does not say before it runs."""
        return None

    def close(self) -> None:
        """Drop the session; its threads end and its arena is freed."""
        self._session = None


def in_words(error: Exception) -> EdgetuiError:
    """What ONNX Runtime refused, without its codes and C++ file names."""
    text = str(error)
    for pattern, say in _PATTERNS:
        if match := re.search(pattern, text, re.DOTALL):
            return say(match)
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"\S+\.(?:cc|h):\d+ .*?\) ", "", text)
    return BackendRefused(
        f"onnxruntime cannot execute the model: {' '.join(text.split())[:300]}",
        fix="see `edgetui inspect MODEL` for its operators",
    )


def _node(name: str, operator: str) -> str:
    return f"node {name} ({operator})" if name else f"a node without a name ({operator})"


_ANOTHER = "export the model without it, or for an opset that onnxruntime knows"
_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], EdgetuiError]], ...] = (
    (
        r'In Node, \("([^"]*)", (\w+), "([^"]*)".*No Op registered for',
        lambda m: BackendRefused(f"onnxruntime does not know {_node(m[1], f'{m[3]}:{m[2]}' if m[3] else m[2])}", fix=_ANOTHER),
    ),
    (
        r"([\w.]*):(\w+)\(-?\d+\) is not a registered function/op",
        lambda m: BackendRefused(f"onnxruntime does not know the operator {m[1]}:{m[2]}", fix=_ANOTHER),
    ),
    (
        r"Could not find an implementation for (\w+)\(\d+\) node with name '([^']*)'",
        lambda m: BackendRefused(
            f"onnxruntime has no CPU kernel for {_node(m[2], m[1])} with these types",
            fix="convert that operator to float32, or leave it out of the recipe's step with `exclude` or `keep`",
        ),
    ),
    (
        r"Opset (\d+) is under development.*till opset (\d+)",
        lambda m: BackendRefused(
            f"the model needs opset {m[1]} and this onnxruntime knows opsets up to {m[2]}",
            fix=f"export it with opset {m[2]} or lower, or install a newer onnxruntime",
        ),
    ),
    (
        r"INVALID_PROTOBUF|No graph was found|does not have a graph",
        lambda _: PlanRefused("this is no ONNX file, or a truncated one", fix="export or build it again"),
    ),
    (
        r'External data path .*?"([^"]*)"',
        lambda m: PlanRefused(f"the model's weights are not there: {m[1]}", fix="copy that file beside the model again"),
    ),
    (
        r"Got invalid dimensions for input: (\S+) .*?index: (\d+) Got: (\d+) Expected: (\d+)",
        lambda m: DataRefused(
            f"input {m[1]} has {m[3]} along axis {m[2]} where the model wants {m[4]}",
            fix="give samples of the model's own shape",
        ),
    ),
    (
        r"Invalid rank for input: (\S+) Got: (\d+) Expected: (\d+)",
        lambda m: DataRefused(
            f"input {m[1]} has {m[2]} axes where the model wants {m[3]}", fix="give samples of the model's own shape"
        ),
    ),
    (
        r"Unexpected input data type. Actual: \(tensor\((\w+)\)\) ?, expected: \(tensor\((\w+)\)\)",
        lambda m: DataRefused(f"an input is given as {m[1]} where the model wants {m[2]}", fix="give samples of that type"),
    ),
    (
        r"Required inputs \((.*?)\) are missing",
        lambda m: DataRefused(f"no samples for input {m[1].strip('[]')}", fix="give one array for each input"),
    ),
)


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


def _errors() -> tuple[type[Exception], ...]:
    """The exceptions of ONNX Runtime, which have no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return tuple(kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception))


def _options(settings: BackendSettings) -> SessionOptions:
    """Session options. Threads keep spinning for a while after an inference, as ONNX Runtime ships it: without that one image
    of ResNet-20 takes 0.86 ms for 0.48. Whoever measures two sessions in turn lets the other's threads fall asleep first
    (`measure.latency.settle`), or pays 20 % to them.
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
    return options


def _open(path: Path, options: SessionOptions) -> InferenceSession:
    return _runtime().InferenceSession(str(path), options, providers=[_PROVIDER])


def _facts(tensor: NodeArg) -> TensorFacts:
    """ONNX Runtime says `tensor(float)`; a dynamic axis is a text or None."""
    match = re.fullmatch(r"tensor\((\w+)\)", tensor.type)
    return TensorFacts(name=tensor.name, dtype=match[1] if match else tensor.type, shape=tuple(tensor.shape))


def _check_built_here(plan: Path, built: dict[str, str]) -> None:
    rebuild = "build it again on this machine with `edgetui build`"
    here, version = instruction_sets(), _runtime().__version__
    if built[_BUILT_FOR] != here:
        raise PlanRefused(f"{plan.name} was built for another processor ({built[_BUILT_FOR]}; this one: {here})", fix=rebuild)
    if built.get(_BUILT_WITH) != version:
        raise PlanRefused(
            f"{plan.name} was built with onnxruntime {built.get(_BUILT_WITH)}, and this is {version}", fix=rebuild
        )


def _size_bytes(onnx: Path) -> int:
    """The file and whatever lies beside it as its external data; too much is harmless here."""
    beside = [path for path in onnx.parent.iterdir() if path.is_file() and path != onnx]
    return onnx.stat().st_size + max((path.stat().st_size for path in beside), default=0)


def _no_space(out: Path) -> StorageRefused | None:
    """ONNX Runtime says only `serialization failed` when the disk is full; asked while the part it wrote still fills it."""
    if shutil.disk_usage(out.parent).free > _LOW_DISK_BYTES:
        return None
    return from_os_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out)))
