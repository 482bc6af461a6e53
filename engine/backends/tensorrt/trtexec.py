"""TensorRT's own command in place of its Python module: for boards whose TensorRT is bound to an older Python.

Nothing of it is a call: it starts `trtexec`, asks its help which options this version has, and reads the JSON
that it exports (samples/common/sampleReporting.cpp of NVIDIA/TensorRT: times, outputs, layers).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BackendRefused
from ...schema.model_facts import TensorFacts
from ...schema.plan import LayerFacts
from ...system import commands
from ...system.parent_death import die_with_parent
from ..base import Session
from ..feeds import dtype_of, refuse_unfit
from . import error_messages
from .build_messages import BuildMessage, BuildProgress, BuildRequest, Built, Refused
from .logger import sparse_layers
from .trtexec_options import options, records_graphs

if TYPE_CHECKING:
    from ..base import Feeds

_LONGEST_S = 600
_NO_NUMBER = re.compile(r"(?<=[\s,\[:])(-?)(?:nan|inf)(?=[\s,\]}])")


def build(request: BuildRequest, command: Path, keep: set[str] | None, tell: Callable[[BuildMessage], None]) -> Built | Refused:
    """One try. `keep`: nodes that stay in FP32 where the rest may be halved; None: nobody asked for FP16."""
    import onnx

    _, known = options(command)
    graph = onnx.load(request.onnx, load_external_data=False).graph
    strong = "stronglyTyped" in known
    integers = any(node.op_type == "QuantizeLinear" for node in graph.node)
    argv = [str(command), f"--onnx={request.onnx}", f"--saveEngine={request.out}"]
    precision = (
        ["--stronglyTyped"] if strong else [*(["--fp16"] if keep is not None else []), *(["--int8"] if integers else [])]
    )
    if keep and not strong and "layerPrecisions" in known:
        precision += ["--precisionConstraints=obey", "--layerPrecisions=" + ",".join(f"{name}:fp32" for name in sorted(keep))]
    errors, sparse = _follow([*argv, *precision, *_settings(request, known)], tell)
    if errors is not None:
        return error_messages.building(errors)
    held = {tensor.name for tensor in graph.initializer}
    flags = [word[2:].upper() for word in precision if word in ("--fp16", "--int8")]
    return Built(
        inputs=tuple(_facts(value) for value in graph.input if value.name not in held),
        outputs=tuple(_facts(value) for value in graph.output),
        layers=len(graph.node),
        precision="strongly typed" if strong else f"flags {' and '.join(flags)}" if flags else "FP32",
        sparse_layers=sparse,
    )


def _settings(request: BuildRequest, known: frozenset[str]) -> list[str]:
    """Options for the request's settings, by the names that this trtexec knows."""
    asked = request.settings
    found = [f"--{word}" for word in ("skipInference", "buildOnly") if word in known][:1]
    if asked.workspace_mb is not None:
        pool = "memPoolSize" in known
        found.append(f"--memPoolSize=workspace:{asked.workspace_mb}" if pool else f"--workspace={asked.workspace_mb}")
    if asked.optimization_level is not None and "builderOptimizationLevel" in known:
        found.append(f"--builderOptimizationLevel={asked.optimization_level}")
    if asked.sparse:
        found.append("--sparsity=enable")
    if not asked.tf32:
        found.append("--noTF32")
    if asked.dla_core is not None:
        found += [f"--useDLACore={asked.dla_core}", "--allowGPUFallback"]
    if request.cache and "timingCacheFile" in known:
        Path(request.cache).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        found.append(f"--timingCacheFile={request.cache}")
    if "profilingVerbosity" in known:
        found.append("--profilingVerbosity=detailed")
    return found


def _follow(argv: list[str], tell: Callable[[BuildMessage], None]) -> tuple[list[str] | None, int | None]:
    """Run it, its log as progress; the lines it marked as errors when it failed, None when it did not, and how many layers got
    a sparse kernel, if it says so.
    """
    errors: list[str] = []
    sparse: int | None = None
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            sys.stderr.write(line)
            text = re.sub(r"^(\[[^\]]*\] )+", "", line.strip())
            count = sparse_layers(text)
            sparse = sparse if count is None else count
            if "[E]" in line:
                errors.append(text)
            elif "[I]" in line and text:
                tell(BuildProgress(done=None, text=text[:60]))
    if process.returncode < 0:
        errors.append(f"trtexec ended with signal {-process.returncode} (out of memory?)")
    return (errors or ["it did not say why"] if process.returncode else None), sparse


def _facts(value: Any) -> TensorFacts:  # noqa: ANN401 - a protobuf message
    from onnx import TensorProto

    kind = value.type.tensor_type
    shape = tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim)
    return TensorFacts(name=value.name, dtype=TensorProto.DataType.Name(kind.elem_type).lower(), shape=shape)


class TrtExecSession(Session):
    """See `base.Session`: every inference is a process of its own, so only a few can be asked for, and times come from it."""

    def __init__(
        self,
        command: Path,
        plan: Path,
        inputs: tuple[TensorFacts, ...],
        outputs: tuple[TensorFacts, ...],
        *,
        cuda_graph: bool = False,
    ) -> None:
        self._command, self._plan = command, plan
        self._graph = ["--useCudaGraph"] if cuda_graph and records_graphs(command) else []
        self.inputs, self.outputs = inputs, outputs
        self._device_ms: float | None = None
        self._is_closed = False

    def run(self, feeds: Feeds) -> dict[str, NDArray[np.generic]]:
        """One inference in a process of its own; outputs have the six digits that trtexec prints.

        Raises:
            DataRefused: an input is missing or does not fit.
            BackendRefused: trtexec failed.
        """
        self._refuse(feeds)
        found = self._ask(feeds, ["--iterations=1", "--warmUp=0", "--duration=0"], {"exportOutput": "outputs"})["outputs"]
        kinds = {tensor.name: dtype_of(tensor) for tensor in self.outputs}
        return {
            tensor["name"]: np.array(tensor["values"], kinds.get(tensor["name"], "float32")).reshape(
                [int(size) for size in str(tensor["dimensions"]).split("x") if size]
            )
            for tensor in found
        }

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """A call that runs a whole process; `blocks` has the times of inferences.

        Raises:
            DataRefused: an input is missing or does not fit.
        """
        self._refuse(feeds)

        def once() -> None:
            self.run(feeds)

        return once

    def blocks(self, feeds: Feeds) -> Callable[[float], NDArray[np.int64]]:
        """A call that infers for so many seconds, after a warm-up, and returns the nanoseconds of every inference: both copies
        and the computing, on the GPU's clock, without the host's part.
        """
        self._refuse(feeds)

        def block(seconds: float) -> NDArray[np.int64]:
            flags = ["--warmUp=200", f"--duration={max(1, round(seconds))}", "--iterations=10", "--useSpinWait", *self._graph]
            times = self._ask(feeds, flags, {"exportTimes": "times"})["times"]
            self._device_ms = float(np.median([one["computeMs"] for one in times]))
            return np.array([round(one["latencyMs"] * 1e6) for one in times], np.int64)

        return block

    def layers(self) -> tuple[LayerFacts, ...]:
        """What is inside the plan, with the mean milliseconds of each layer."""
        from .inspector_json import layers

        made = self._ask({}, ["--dumpProfile"], {"exportLayerInfo": "layers", "exportProfile": "profile"})
        times = {entry["name"]: float(entry["averageMs"]) for entry in made["profile"] if "averageMs" in entry}
        return layers(made["layers"], times)

    def device_ms(self) -> float | None:
        """Of the last block."""
        return self._device_ms

    def plan_bytes(self) -> int | None:
        """None: trtexec does not tell."""
        return None

    def close(self) -> None:
        """Nothing is held; only refuse to go on."""
        self._is_closed = True

    def _refuse(self, feeds: Feeds) -> None:
        if self._is_closed:
            raise BackendRefused("the plan was closed", fix="load it again")
        refuse_unfit(self.inputs, feeds)

    def _ask(self, feeds: Feeds, flags: list[str], exports: Mapping[str, str]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="edgetui-") as folder:
            given = []
            for number, tensor in enumerate(self.inputs if feeds else ()):
                file = Path(folder) / f"{number}.bin"
                file.write_bytes(np.ascontiguousarray(feeds[tensor.name], dtype_of(tensor)).tobytes())
                given.append(f"'{tensor.name}':{file}")
            argv = [str(self._command), f"--loadEngine={self._plan}", *flags]
            argv += [f"--loadInputs={','.join(given)}"] if given else []
            argv += [f"--{flag}={folder}/{name}.json" for flag, name in exports.items()]
            done = commands.run(argv, _LONGEST_S, errors=True, prepare=die_with_parent)
            if done.status != 0:
                errors = [line for line in done.text.splitlines() if "[E]" in line]
                ending = f"it did not end within {_LONGEST_S} s" if done.status is None else f"it ended with {done.status}"
                why = errors[0][:200] if errors else ending
                raise BackendRefused(f"trtexec could not run {self._plan.name} ({why})", fix="build it again here")
            return {name: _document(Path(folder) / f"{name}.json") for name in exports.values()}


def _document(file: Path) -> Any:  # noqa: ANN401 - JSON
    """What trtexec exported; numbers that are none stand there as C++ prints them, `-nan` and `inf`.

    Raises:
        BackendRefused: it is no JSON.
    """
    text = _NO_NUMBER.sub(lambda found: "NaN" if "nan" in found[0] else f"{found[1]}Infinity", file.read_text())
    try:
        return json.loads(text)
    except ValueError as error:
        raise BackendRefused(f"trtexec exported broken JSON ({error})", fix="see the run's log.txt") from None
