"""Which TensorRT this interpreter has, whether a GPU is here, and whether `trtexec` is: asked by name, never by version.

Apart from the adapter because the doctor and the early refusal of a run ask the same without building anything.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from ...errors import ON_THE_CPU, BackendRefused, Fix
from ...system.tensorrt_here import device_nodes, trtexec
from .trtexec_options import as_module

MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
"""In order of preference: TensorRT itself, then TensorRT-RTX under its two names."""


@dataclass(frozen=True)
class Installation:
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
    def out_of_process(self) -> bool:
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
    def targets(self) -> tuple[str, ...]:
        """GPUs that it lists, the oldest first, e.g. `sm_86`; empty: it builds for its own machine's, whichever that is."""
        kinds = getattr(self.api, "ComputeCapability", None)
        names = () if kinds is None else kinds.__members__
        return tuple(sorted((name.replace("SM", "sm_") for name in names if name.startswith("SM")), key=_number))

    def refuse(self, target: str) -> BackendRefused | None:
        """Why plans cannot be run on a GPU. TensorRT-RTX builds for any, and loads on those that it lists and on newer ones."""
        listed = self.targets
        if not listed or target in listed or _number(target) > _number(listed[-1]):
            return None
        return BackendRefused(
            f"{self.label} does not run on the GPU that is here ({target}): it lists {', '.join(listed)}",
            fix=("install TensorRT itself: pip install 'edgetui[tensorrt]'", ON_THE_CPU),
        )

    @property
    def label(self) -> str:
        """`TensorRT 10.3.0` or `TensorRT-RTX 1.7.1`."""
        return f"{'TensorRT-RTX' if self.rtx else 'TensorRT'} {self.version}"


def _number(target: str) -> int:
    """87 of `sm_87`."""
    return int(target.removeprefix("sm_"))


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


@dataclass(frozen=True)
class NoGpu:
    """Nothing that plans could be run on."""

    why: str
    lacks_pycuda: bool = False
    """There may be a GPU, and nothing to reach it by."""


def every() -> Iterator[Installation]:
    """Each TensorRT that can be imported, then `trtexec`. A folder of type stubs is importable too, as an empty module: it does
    not count.
    """
    for name in MODULES:
        try:
            api = importlib.import_module(name)
        except (ImportError, OSError, RuntimeError):
            continue
        if hasattr(api, "Builder"):
            yield Installation(name, api, str(getattr(api, "__version__", "unknown")))
    command = trtexec()
    if command is not None:
        yield Installation("trtexec", *as_module(command))


def detect(target: str = "") -> Installation:
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
            fix=(
                Fix("leave {} out on the board itself", "target"),
                "install TensorRT-RTX: pip install 'edgetui[tensorrt-rtx]'",
            ),
        )
    raise BackendRefused(
        "this Python has no TensorRT",
        fix=(
            "on a Jetson make the environment with `python3 -m venv --system-site-packages`; elsewhere "
            "pip install 'edgetui[tensorrt-rtx]'",
            ON_THE_CPU,
        ),
    )


def gpu() -> Gpu | NoGpu:
    """The GPU that pycuda finds, or why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pycuda says the same before its ImportError, with a line of our source
            driver = importlib.import_module("pycuda.driver")
    except ImportError as error:
        if not device_nodes():
            return NoGpu("there is no NVIDIA GPU")
        return NoGpu(f"pycuda cannot be imported ({error})", lacks_pycuda=True)
    try:
        driver.init()
        if not driver.Device.count():
            return NoGpu("there is no CUDA device")
        device = driver.Device(0)
        number = driver.get_driver_version()
        return Gpu(
            name=str(device.name()),
            capability=tuple(device.compute_capability()),
            memory_mb=device.total_memory() / 1e6,
            cuda=f"{number // 1000}.{number % 1000 // 10}",
        )
    except driver.Error as error:
        return NoGpu(f"CUDA does not start ({error})")


def need_gpu() -> Gpu:
    """The GPU a plan is to be run on.

    Raises:
        BackendRefused: there is none, or no pycuda; says what mends it.
    """
    here = gpu()
    if isinstance(here, Gpu):
        return here
    if here.lacks_pycuda:
        raise BackendRefused(
            f"TensorRT plans cannot be run: {here.why}",
            fix=("pip install pycuda (it needs the CUDA toolkit)", ON_THE_CPU),
        )
    raise BackendRefused(
        f"TensorRT plans cannot be run on this machine: {here.why}",
        fix=(
            "run it on a board that has one",
            Fix("`edgetui build --backend tensorrt --target sm_86` builds a plan for another machine", reads="tensorrt-rtx"),
            ON_THE_CPU,
        ),
    )
