"""The card of PyTorch as a backend."""

from __future__ import annotations

import importlib.util
import shutil

from ...errors import ON_THE_CPU, BackendRefused, Fix
from ...schema.settings import BackendSettings
from ...schema.step import Kernels
from ...system import tensorrt_here
from ..card import Card, Lowering, ModelReader, Presence, thread_words

_HELD_MB = 320
"""What a stage with PyTorch holds besides (training, measured with a small model: 430 to 450 MB in all)."""
_COMPILING_MB = 580
"""What torch.compile holds besides (measured with a small model: 165 MB in the stage, 415 MB in its C++ compiler)."""


class TorchCard(Card):
    """See `card.Card`."""

    name = "torch"
    title = "PyTorch"
    adapter = "torch.adapter:Torch"
    keeps = "compiled"
    packages = must_have = ("torch",)
    tied_to_gpu = True
    lowerings = (
        Lowering("torch", title, exact=True, one_scale="as in the paper", no_half_beside_integers="pairs are computed in it"),
    )
    readers = (ModelReader(name, "lint_torch:refusals"),)
    advice = Fix("run with {}", "backend", name)
    kernels = Kernels(
        emulated={
            "int8": "PyTorch computes INT8 as floating point with rounding: the values of INT8, and slower, not faster",
            "integer weights": "PyTorch holds them as floats once loaded",
        }
    )
    least_cosine = 0.999  # each node is computed as the file says: FP32 stays above 0.99999, FP16 and INT8 above 0.9999
    names_layers = False
    check_settings = True
    in_every_key = True

    def refuse_here(self) -> BackendRefused | None:
        """PyTorch is not installed."""
        if installed():
            return None
        return BackendRefused(
            "the backend torch needs PyTorch, which this Python does not have",
            fix=("pip install 'edgetui[torch]' (on a Jetson: NVIDIA's own torch wheel)", ON_THE_CPU),
        )

    def has_half(self, settings: BackendSettings) -> bool:
        """A GPU has it."""
        return settings.torch.device == "cuda" or (settings.torch.device == "auto" and _sees_gpu())

    def line(self, settings: BackendSettings) -> str:
        """`torch eager, CPU, 2 threads`."""
        asked = settings.torch
        where = {"auto": "a GPU if there is one", "cpu": "CPU", "cuda": "GPU"}[asked.device]
        return f"torch {asked.mode}, {where}, {thread_words(asked.threads)}"

    def memory_mb(self, settings: BackendSettings) -> float:
        """PyTorch itself, and its compiler."""
        return _HELD_MB + (_COMPILING_MB if settings.torch.mode == "compiled" else 0)

    def here(self) -> Presence | None:
        """PyTorch, and whether it can compile."""
        if not installed():
            return None
        from importlib import metadata  # as in the card of ONNX Runtime

        try:
            version = f"torch {metadata.version('torch')}"
        except metadata.PackageNotFoundError:
            version = "torch"
        text = f"{version}, for the steps train.* and the backend torch"
        if any(shutil.which(name) for name in ("g++", "clang++", "c++")):
            return Presence("also here", "note", text)
        return Presence("also here", "note", f"{text}; no C++ compiler, so eager only", "sudo apt install g++")


def _sees_gpu() -> bool:
    """Whether there is a GPU, and a PyTorch that is not built for the CPU alone; it is not imported."""
    from importlib import metadata

    try:
        return tensorrt_here.device_nodes() and "+cpu" not in metadata.version("torch")
    except metadata.PackageNotFoundError:
        return False


def installed() -> bool:
    """Whether this Python has PyTorch; it is not imported."""
    return importlib.util.find_spec("torch") is not None


CARD = TorchCard()
