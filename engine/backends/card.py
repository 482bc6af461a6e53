"""A backend's card: what can be said of it without loading it. Light: plans, results and screens are judged by it anywhere.

What executes models stands in `base.py`; which cards there are, in `cards.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import BackendRefused, Fix
from ..schema.settings import BackendSettings
from ..schema.step import Kernels


@dataclass(frozen=True)
class Lowering:
    """How a calibrated graph is written for one kind of kernels: which Q/DQ pairs, and where half floats."""

    target: str
    """What `Backend.target` calls it."""
    title: str
    """Whose kernels they are, in sentences."""
    pairs: Literal["onnx", "tensorrt"] = "onnx"
    """`tensorrt`: signed around zero, where TensorRT fuses them; it reads few forms of integer weights, others get floats."""
    folds_integers: bool = False
    """Not even those forms are read: all integer weights become floats."""
    signed: bool = False
    """Activations are int8; else uint8."""
    exact: bool = False
    """No product saturates on any processor, so that weights keep 8 bits and channels need no filling."""
    one_scale: str = ""
    """Why affine weights get one scale a tensor; empty: nobody has to be told."""
    ranges_at_run_time: bool = False
    """Has integer products whose activations get their ranges when they run; else weights alone become integers for them."""
    half: Literal["graph", "flag"] = "graph"
    """Where half precision is said: in the graph, or by a flag when the plan is built."""
    no_half_beside_integers: str = ""
    """Why the rest of an INT8 graph stays in FP32; empty: it becomes half floats."""


@dataclass(frozen=True)
class ModelReader:
    """What reads a backend's models, so that refusals are known before a build of minutes, with or without the backend."""

    target: str
    """What `inspection.lint` calls it; a backend's first is called as the backend."""
    rules: str
    """`module:function` below `inspection`: of a ModelProto, a list of what it refuses."""
    options: tuple[str, ...] = ()
    """Parameters of the function that are true."""
    narrower: bool = False
    """Reads less than the backend elsewhere: `inspect` tells of it where it does, and advice names the backend itself."""


class Presence(NamedTuple):
    """What a backend is here, for `edgetui doctor`."""

    name: str
    state: Literal["good", "note", "bad"]
    text: str
    mend: str = ""


class Searched(NamedTuple):
    """A setting of a backend that a search tries."""

    name: str
    values: tuple[int | str, ...] = ()
    """Numbers rise. Empty, of `threads`: from one to all cores."""
    usual: int | str = ""
    """The value that the backend has by itself; empty, of `threads`: all cores."""
    moves_outputs: bool = True
    """Whether outputs are held against labels anew with each value."""


class Card:
    """Facts of one backend; a backend's own card says what differs."""

    name: str
    """As settings, results and recipes call it: one of `schema.settings.BackendName`."""
    title: str
    """As people call it."""
    adapter: str
    """`module:class` below `backends` that is its `base.Backend`."""
    keeps: str = ""
    """Folder of the state home for what it keeps between builds; empty: nothing. The adapter takes its path."""
    packages: tuple[str, ...] = ()
    """What its plans are tied to beyond what every run is: names of packages whose versions are in its keys."""
    must_have: tuple[str, ...] = ()
    """Packages without which it executes nothing."""
    tied_to_gpu: bool = False
    """What it makes depends on the GPU and the NVIDIA libraries that are here."""
    needs_gpu: bool = False
    """Runs plans on an NVIDIA GPU and nowhere else."""
    lowerings: tuple[Lowering, ...] = ()
    readers: tuple[ModelReader, ...] = ()
    """Empty: what it refuses shows when it builds."""
    advice: Fix | None = None
    """For a model that another backend refuses and this one reads."""
    kernels: Kernels = Kernels()
    plan_suffixes: tuple[str, ...] = ()
    """Names of files that can only be its plans."""
    beside_plans: tuple[str, ...] = ()
    """Of files that belong to a plan, what stands behind its name."""
    runs_models: bool = False
    """Loads a model as it is; others build a plan first."""
    sizes_in_file: bool = True
    """Its models carry every shape. ONNX Runtime refuses some of those, with a shape in a branch that is not taken."""
    plan_is_deployed: bool = False
    """What is copied to a device is the plan, and its size is the model's size; else that of the lowered file."""
    least_cosine: float | None = 0.9
    """How near a right plan's outputs are to ONNX Runtime's on the same file; None: it is ONNX Runtime."""
    on_cpu: bool = False
    """Computes on the CPU alone: no figure of a device is missing."""
    lowered_beside: str = ""
    """Runs with other backends leave a file lowered for this target as well, to be built elsewhere; empty: they do not."""
    names_layers: bool = True
    """Its plans can be looked into."""
    names_origins: bool = False
    """Its layers say which nodes they stand for; else that is told from their names."""
    sparse_kernels: bool = False
    """Its layers say whether a sparse kernel computes them."""
    takes_plugins: bool = False
    """Reads operators that it does not have where a library of plugins is loaded."""
    checked_early: bool = False
    """What it refuses of a model is known without the weights."""
    one_stream: str = ""
    """Why its plans are run by one thread at a time; empty: several may infer with one at once."""
    run_only: tuple[str, ...] = ()
    """Names of its settings that change how a plan is run and not the plan: in no key of a build."""
    searched: tuple[Searched, ...] = ()
    """Settings that a search tries."""
    check_settings: bool = False
    """Its settings decide what `Backend.check` refuses, so they are in the key of `inspect`."""
    in_every_key: bool = False
    """Its settings are in the key of every backend's build, as they were before there were cards."""

    def is_plan(self, path: Path) -> bool:
        """Whether a file is a plan of this backend, by its name or by what stands at its end."""
        return path.suffix in self.plan_suffixes

    def has_half(self, settings: BackendSettings) -> bool:
        """Whether the hardware here multiplies in FP16 with these settings, so that INT8 has something to beat."""
        del settings
        return False

    def refuse_here(self) -> BackendRefused | None:
        """Why no run can begin with it in this Python, as far as can be told without importing it; None: nothing known."""
        return None

    def flat_out_only(self) -> str:
        """Why inferences can be issued one after the other alone here; empty: as any workload wants."""
        return ""

    def reader(self, settings: BackendSettings) -> str:
        """The target of `inspection.lint` that reads models with these settings."""
        del settings
        return self.name

    def line(self, settings: BackendSettings) -> str:
        """For people, before a run, e.g. `onnxruntime, 2 threads`."""
        del settings
        return self.name

    def memory_mb(self, settings: BackendSettings) -> float:
        """What a stage holds for it besides the model, in units of 10^6 bytes; an estimate."""
        del settings
        return 0.0

    def here(self) -> Presence | None:
        """What of it is here; None: nothing to say."""
        return None


def thread_words(threads: int) -> str:
    """`2 threads`; 0 is one for each physical core."""
    return f"{threads} thread{'s' if threads > 1 else ''}" if threads else "a thread for each physical core"
