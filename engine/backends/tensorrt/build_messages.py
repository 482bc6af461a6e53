"""What is asked of one try to build a plan, and what the process that tries says while it does, a JSON line each.

Both sides of the pipe read it: the stage that asks and the process that builds.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ...errors import Fix, fixes_of
from ...schema.model_facts import TensorFacts
from ...schema.ready import ready
from ...schema.settings import TensorRtSettings


class BuildRequest(Struct, frozen=True, kw_only=True):
    """One try to build a plan."""

    onnx: str
    out: str
    module: str
    """Which TensorRT: a name of `installed.MODULES`."""
    settings: TensorRtSettings = TensorRtSettings()
    """The memory limits and the level in it are those of this try."""
    here: str = ""
    """The GPU that is here, e.g. `sm_87`; empty: none, or nobody can tell."""
    cache: str = ""
    """File of the timing cache; empty: none is kept."""


class BuildProgress(Struct, frozen=True, kw_only=True, tag="progress"):
    """How far the try is."""

    done: float | None
    """0..1; None: this TensorRT does not say."""
    text: str


class LogLine(Struct, frozen=True, kw_only=True, tag="line"):
    """A sentence for the log, or for the result when `warning`."""

    text: str
    warning: bool = False


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """The try's last word: it failed."""

    what: str
    fixes: tuple[Fix, ...]
    node: str = ""
    again: bool = False
    """Other limits may mend it."""
    crashed: bool = False
    """The process of the try ended without a word of its own: nothing was refused."""

    @classmethod
    def of(cls, what: str, *fixes: str | Fix, node: str = "", again: bool = False, crashed: bool = False) -> Refused:
        """The same from words or fixes."""
        return cls(what=what, fixes=fixes_of(fixes), node=node, again=again, crashed=crashed)


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


BuildMessage = BuildProgress | LogLine | Refused | Built
encode = msgspec.json.encode
decode = msgspec.json.Decoder(ready(BuildMessage)).decode
decode_request = msgspec.json.Decoder(ready(BuildRequest)).decode
