"""What is asked of one try to build a plan, and what the process that tries says while it does, a JSON line each.

Apart because both sides of the pipe read it: the stage that gives the order and the process that carries it out.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..result import TensorFacts
from ..spec import TensorRtSettings


class Order(Struct, frozen=True, kw_only=True):
    """One try."""

    onnx: str
    out: str
    module: str
    """Which TensorRT: a name of `trt_find.MODULES`."""
    settings: TensorRtSettings = TensorRtSettings()
    """The memory limits and the level in it are those of this try."""
    here: str = ""
    """The GPU that is here, e.g. `sm_87`; empty: none, or nobody can tell."""
    cache: str = ""
    """File of the timing cache; empty: none is kept."""


class Share(Struct, frozen=True, kw_only=True, tag="share"):
    """How far the try is."""

    done: float | None
    """0..1; None: this TensorRT does not say."""
    text: str


class Line(Struct, frozen=True, kw_only=True, tag="line"):
    """A sentence for the log, or for the result when `warning`."""

    text: str
    warning: bool = False


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """The try's last word: it failed."""

    what: str
    fix: str
    again: bool = False
    """Other limits may mend it."""
    elsewhere: bool = False
    """It is the model that is refused: another backend may take it."""


class Built(Struct, frozen=True, kw_only=True, tag="built"):
    """The try's last word: the plan is written."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    layers: int
    """Of the network that was parsed; the plan fuses them."""
    precision: str
    """How precisions were said: `strongly typed`, or the builder flags that were set."""
    dla_layers: int | None = None
    """Of `layers`, how many the DLA can run; None: no DLA was asked for."""
    sparse_layers: int | None = None
    """Layers for which a sparse kernel won; None: TensorRT did not say."""
    cache_bytes: int = 0


Said = Share | Line | Refused | Built
encode = msgspec.json.encode
decode = msgspec.json.Decoder(Said).decode
decode_order = msgspec.json.Decoder(Order).decode
