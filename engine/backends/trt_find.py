"""Which TensorRT this interpreter has, whether a GPU is here, and whether `trtexec` is: asked by name, never by version.

Apart from the adapter because the doctor and the early refusal of a run ask the same without building anything.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ..errors import ON_THE_CPU, BackendRefused

MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
"""In order of preference: TensorRT itself, then TensorRT-RTX under its two names."""
_TRTEXEC = ("usr/src/tensorrt/bin/trtexec", "usr/local/tensorrt/bin/trtexec", "opt/tensorrt/bin/trtexec")
SYSTEM_PACKAGES = tuple(f"usr/lib/python{version}/dist-packages/tensorrt" for version in ("3", "3.6", "3.8", "3.10", "3.12"))
"""Where JetPack puts TensorRT for the system's own Python."""
_DEVICE_NODES = ("dev/nvidia0", "dev/nvhost-gpu", "dev/nvgpu", "dev/nvmap")


@dataclass(frozen=True)
class Found:
    """A TensorRT that can be imported here."""

    module: str
    """What it is imported as, or `trtexec`: there is only TensorRT's command."""
    api: ModuleType
    version: str

    @property
    def rtx(self) -> bool:
        """TensorRT-RTX: builds without a GPU, and its plans are compiled further where they run."""
        return self.module.startswith("tensorrt_rtx")

    @property
    def outside(self) -> bool:
        """Executes in processes of its own: a few inferences, and no memory to look at."""
        return self.module == "trtexec"

    @property
    def strongly_typed(self) -> bool:
        """Precisions are said in the graph. Before TensorRT 9 builder flags say them."""
        return hasattr(getattr(self.api, "NetworkDefinitionCreationFlag", None), "STRONGLY_TYPED")

    @property
    def builds_for_others(self) -> bool:
        """Can build for a GPU that is not here."""
        return hasattr(self.api, "ComputeCapability")

    @property
    def label(self) -> str:
        """`TensorRT 10.3.0` or `TensorRT-RTX 1.7.1`."""
        return f"{'TensorRT-RTX' if self.rtx else 'TensorRT'} {self.version}"


@dataclass(frozen=True)
class Gpu:
    """The first CUDA device."""

    name: str
    capability: tuple[int, int]
    """Compute capability, e.g. (8, 7)."""
    memory_mb: float
    """All of it, in units of 10^6 bytes; on a Jetson it is the system's."""
    cuda: str
    """What the driver speaks, e.g. `12.6`."""

    @property
    def target(self) -> str:
        """`sm_87`."""
        return f"sm_{self.capability[0]}{self.capability[1]}"


def every() -> Iterator[Found]:
    """Each TensorRT that can be imported, then `trtexec`. A folder of type stubs is importable too, as an empty module: it does
    not count.
    """
    for name in MODULES:
        try:
            api = importlib.import_module(name)
        except (ImportError, OSError, RuntimeError):
            continue
        if hasattr(api, "Builder"):
            yield Found(name, api, str(getattr(api, "__version__", "unknown")))
    command = trtexec()
    if command is not None:
        from .trtexec import as_module

        yield Found("trtexec", *as_module(command))


def find(target: str = "") -> Found:
    """The TensorRT to use; with `target` one that can build for a GPU that is not here.

    Raises:
        BackendRefused: there is none; says what to install.
    """
    found = list(every())
    fitting = [one for one in found if one.builds_for_others] if target else found
    if fitting:
        return fitting[0]
    if found:
        raise BackendRefused(
            f"{found[0].label} builds only for the GPU of its own machine, not for {target}",
            fix="leave --target out on the board itself, or install TensorRT-RTX: pip install 'edgetui[tensorrt-rtx]'",
        )
    raise BackendRefused(
        "this Python has no TensorRT",
        fix="on a Jetson make the environment with `python3 -m venv --system-site-packages`; elsewhere "
        "pip install 'edgetui[tensorrt-rtx]'",
        ways=ON_THE_CPU,
    )


def trtexec() -> Path | None:
    """TensorRT's own command: on PATH, or where JetPack puts it."""
    named = shutil.which("trtexec")
    if named:
        return Path(named)
    return next((system_root() / place for place in _TRTEXEC if os.access(system_root() / place, os.X_OK)), None)


def system_root() -> Path:
    """Where system paths begin: EDGETUI_ROOT, or the root."""
    return Path(os.environ.get("EDGETUI_ROOT") or "/")


def device_nodes() -> bool:
    """Whether the system has a node of an NVIDIA GPU. Opens nothing."""
    return any((system_root() / node).exists() for node in _DEVICE_NODES)


def gpu() -> Gpu | str:
    """The GPU that pycuda finds, or why there is none, in words."""
    try:
        driver = importlib.import_module("pycuda.driver")
    except ImportError as error:
        if not device_nodes():
            return "there is no NVIDIA GPU"
        return f"pycuda cannot be imported ({error})"
    try:
        driver.init()
        if not driver.Device.count():
            return "there is no CUDA device"
        device = driver.Device(0)
        number = driver.get_driver_version()
        return Gpu(
            name=str(device.name()),
            capability=tuple(device.compute_capability()),
            memory_mb=device.total_memory() / 1e6,
            cuda=f"{number // 1000}.{number % 1000 // 10}",
        )
    except driver.Error as error:
        return f"CUDA does not start ({error})"


def need_gpu() -> Gpu:
    """The GPU a plan is to be run on.

    Raises:
        BackendRefused: there is none, or no pycuda; says what mends it.
    """
    here = gpu()
    if isinstance(here, Gpu):
        return here
    if here.startswith("pycuda"):
        raise BackendRefused(
            f"TensorRT plans cannot be run: {here}",
            fix="pip install pycuda (it needs the CUDA toolkit)",
            ways=ON_THE_CPU,
        )
    raise BackendRefused(
        f"TensorRT plans cannot be run on this machine: {here}",
        fix="run it on a board that has one",
        ways={"tensorrt-rtx": "`edgetui build --backend tensorrt --target sm_86` builds a plan for another machine"}
        | ON_THE_CPU,
    )
