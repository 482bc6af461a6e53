"""What is inside a plan, as `inspect` and `layers` tell it."""

from __future__ import annotations

from msgspec import Struct, structs

from ..errors import Refusal
from .model_facts import TensorFacts


class LayerFacts(Struct, frozen=True, kw_only=True):
    """One layer inside a plan."""

    name: str
    kind: str = ""
    """The backend's word for what it does; empty: the plan was built without details."""
    precision: str = ""
    """What it computes in: FP32, FP16, INT8, ...; empty: not told."""
    inputs: tuple[str, ...] = ()
    """Precisions of what it reads."""
    milliseconds: float | None = None
    origin: tuple[str, ...] = ()
    """Nodes of the ONNX file that it computes."""
    reformat: bool = False
    """Only changes layout or precision between two others."""
    island: bool = False
    """Computes in FP32 in a plan that elsewhere computes in less."""
    sparse: bool = False
    """Runs a kernel for 2:4 sparse weights."""


class PlanFacts(Struct, frozen=True, kw_only=True):
    """What `inspect` finds in a plan."""

    name: str
    path: str = ""
    backend: str = ""
    """What executes it."""
    size_bytes: int = 0
    built: dict[str, str] = {}
    """What its manifest says, in words; empty: it has none."""
    inputs: tuple[TensorFacts, ...] = ()
    outputs: tuple[TensorFacts, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    inferences: int | None = None
    """Layers' times are means over so many; None: they have no times."""
    inference_ms: float | None = None
    """Mean of an inference without the profiler, which slows every layer down; None: not measured."""
    islands: int | None = None
    """Layers that compute in FP32 where others compute in less."""
    device_bytes: int | None = None
    reason: str = ""
    """Why layers are not known, in the words of the command line; empty: they are."""
    refusal: Refusal | None = None
    """The same as a value."""

    def without_layers(self, why: Refusal) -> PlanFacts:
        """The facts of a plan whose layers cannot be known."""
        return structs.replace(self, reason=str(why), refusal=why)
