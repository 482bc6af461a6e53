"""PyTorch, eager or compiled, on the CPU or an NVIDIA GPU: what a model costs before an engine is built from it.

Apart from the other backends because it alone, with `engine/network/`, imports `torch`, inside functions.

A plan is the lowered ONNX file with the stamp of who wrote it: PyTorch's own formats hold code (pickles), ONNX files do not.
It becomes a module when it is loaded, settled for its shapes. What no sample changes is computed then: integer weights are
floats from there on. Pairs around activations are computed as the standard writes them, in floating point.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from onnx import ModelProto

from .... import __version__
from ...errors import ON_THE_CPU, BackendRefused, Fix, ModelRefused, PlanRefused, first_line
from ...graph import load as files
from ...graph import metadata
from ...schema.settings import BackendSettings
from ...schema.stamps import BackendStamp
from ...system.cpu import physical_cores
from ...system.reporter import Reporter
from ..base import Backend
from . import compilation
from .session import TorchSession, translated_errors

if TYPE_CHECKING:
    from ..base import Session

_BUILT = "plan.torch"
_OF_OTHERS = ("edgetui.plan.onnxruntime",)


class Torch(Backend):
    """See `base.Backend`."""

    name = "torch"
    suffix = ".onnx"

    def __init__(self, caches: Path | None = None) -> None:
        """`caches`: the folder for what torch.compile made; None: its own, in the folder of temporary files."""
        self._caches = caches

    def check(self, settings: BackendSettings, *, execute: bool) -> None:
        """Refuse early what cannot be done here; what it builds it also runs.

        Raises:
            BackendRefused: no PyTorch, no GPU where one is asked for, or nothing to compile with.
        """
        del execute
        torch = self._torch(settings)
        device = _device(torch, settings)
        if settings.torch.mode == "compiled":
            compilation.check(device)

    def stamp(self, settings: BackendSettings) -> BackendStamp:
        """Version, mode, device and threads, for the result.

        Raises:
            BackendRefused: PyTorch is not installed, or the GPU that is asked for is not there.
        """
        torch = self._torch(settings)
        device = _device(torch, settings)
        gpu = device == "cuda"
        mode = settings.torch.mode
        return BackendStamp(
            name=self.name,
            version=str(torch.__version__),
            threads=torch.get_num_threads(),
            provider=f"{mode}, {_gpu_words(torch)}" if gpu else f"{mode}, CPU",
            mode=mode,
            device=_gpu_words(torch) if gpu else "cpu",
            tf32=settings.torch.tf32 if gpu else None,
        )

    def target(self) -> str:
        """`torch`: pairs with full 8-bit weights, for nothing saturates in floating point."""
        return "torch"

    def build(self, onnx: Path, out: Path, settings: BackendSettings, say: Reporter) -> str:
        """Write the plan of `onnx` to `out` (large weights beside it), after it was executed once, and compiled if asked.

        Raises:
            BackendRefused: the model cannot be executed or compiled here; the message names the node and its operator.
            RunFailed: memory ran out.
            StorageRefused: it cannot be written.
        """
        torch = self._torch(settings)
        model = _read(onnx)
        device = _device(torch, settings)
        words = f"for torch {torch.__version__} on {_gpu_words(torch) if device == 'cuda' else 'the CPU'}"
        if settings.torch.mode == "compiled":
            say.note(f"compiling {onnx.name} {words}: seconds on a PC, minutes on a board")
        else:
            say.note(f"trying {onnx.name} {words}")
        session = self._session(torch, model, settings)
        count = session.nodes
        session.close()
        del session
        digest = files.digest(onnx)[0]
        made = {"torch": str(torch.__version__), "edgetui": __version__, "onnx_sha256": digest, "mode": settings.torch.mode}
        metadata.put(model, _BUILT, made | {"device": device})
        files.save(model, out)
        return f"plan of {out.stat().st_size / 1e6:.2f} MB, {count} nodes {settings.torch.mode}"

    def refuse_plan(self, plan: Path, settings: BackendSettings) -> None:
        """Refuse plans of others, and broken ones.

        Raises:
            PlanRefused: so it is.
        """
        del settings
        _read(plan)

    def load(self, plan: Path, settings: BackendSettings, *, cooperative: bool = False) -> Session:
        """Load a plan of `build`, or any ONNX file of fixed shapes.

        `cooperative`: its threads fall asleep as soon as they have nothing to do. As PyTorch ships it they spin, which takes
        the cores from all else and from each other: beside four busy processes ResNet-20 took 43 ms on two threads, 9 ms so.

        Raises:
            PlanRefused: it is a plan of another backend, missing, or broken.
            BackendRefused: PyTorch is not here, or cannot execute or compile it.
            RunFailed: memory ran out.
        """
        torch = self._torch(settings, spinning=not cooperative)
        return self._session(torch, _read(plan), settings)

    def _session(self, torch: ModuleType, model: ModelProto, settings: BackendSettings) -> TorchSession:
        device = _device(torch, settings)
        try:
            with translated_errors():
                return TorchSession(torch, model, device, compiled=settings.torch.mode == "compiled")
        except ModelRefused as error:
            raise BackendRefused(error.what, fix=error.fixes, node=error.node) from None

    def _torch(self, settings: BackendSettings, *, spinning: bool = True) -> ModuleType:
        """PyTorch, with the threads and roundings that are asked for. Whether threads spin while they wait (`spinning`) is
        settled by the first call in a process.

        Raises:
            BackendRefused: it is not here, or cannot be loaded.
        """
        compilation.prepare(self._caches)
        if not spinning:
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        try:
            import torch
        except (ImportError, OSError) as error:
            raise BackendRefused(
                f"PyTorch cannot be loaded ({first_line(error)})",
                fix=("install it with `pip install 'edgetui[torch]'` (on a Jetson: NVIDIA's own torch wheel)", ON_THE_CPU),
            ) from None
        torch.set_num_threads(settings.torch.threads or physical_cores())
        # The newer names of these (fp32_precision) may not be mixed with them, and torch.compile reads these.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = settings.torch.tf32
        made: ModuleType = torch
        return made


def _read(path: Path) -> ModelProto:
    """The file, parsed.

    Raises:
        PlanRefused: it is missing, broken, or another backend's plan.
    """
    if not path.exists():
        raise PlanRefused(f"{path} is not there", fix="build it again with `edgetui build`")
    try:
        model = files.load(path)
    except ModelRefused as error:
        raise PlanRefused(error.what, fix=error.fixes) from None
    if any(entry.key in _OF_OTHERS for entry in model.metadata_props):
        raise PlanRefused(f"{path.name} is a plan of onnxruntime", fix=Fix("build it again with {}", "backend", "torch"))
    return model


def _device(torch: ModuleType, settings: BackendSettings) -> str:
    """`cpu` or `cuda`.

    Raises:
        BackendRefused: a GPU is asked for, and PyTorch sees none.
    """
    asked = settings.torch.device
    if asked == "cpu":
        return "cpu"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an old driver is a warning here, and no reason to stop when `auto` is asked for
        there = bool(torch.cuda.is_available())
    if not there and asked == "cuda":
        why = "this PyTorch is built for the CPU" if torch.version.cuda is None else "no GPU, or a driver too old for it"
        raise BackendRefused(
            f"PyTorch {torch.__version__} sees no GPU ({why})",
            fix=(Fix("run with {}", "device", "cpu"), "install a PyTorch for this GPU"),
        )
    return "cuda" if there else "cpu"


def _gpu_words(torch: ModuleType) -> str:
    major, minor = torch.cuda.get_device_capability()
    return f"{torch.cuda.get_device_name()} sm_{major}{minor}"
