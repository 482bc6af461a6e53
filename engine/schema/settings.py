"""Settings of backends: part of what is asked, and of every result's stamp."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

BackendName = Literal[
    "onnxruntime",
    "tensorrt",
    "torch",
]
"""Each has a card in `backends/NAME/card.py`."""
Preset = Literal["quick", "normal", "precise"]
"""How sure a latency shall be."""
Megabytes = Annotated[int, Meta(ge=1)]
Threads = Annotated[int, Meta(ge=0, extra={"words": {0: "one a core"}})]
"""`words`: what a screen says in a value's place."""


class OwnSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backend's own table."""

    def built_for(self) -> str:
        """The GPU elsewhere that a plan is built for; empty: plans are run here."""
        return ""


class TensorRtSettings(OwnSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How TensorRT builds and loads a plan."""

    target: Annotated[str, Meta(pattern=r"^(sm_\d{2,3})?$")] = ""
    """A plan for that kind of GPU, e.g. `sm_86`, which need not be in this machine; empty: for the GPU that is here."""
    workspace_mb: Megabytes | None = None
    """Scratch memory of a layer at most, in MiB; None: by what is free."""
    tactic_memory_mb: Megabytes | None = None
    """Device memory that the builder may use to try kernels, in MiB; None: by what is free."""
    optimization_level: Annotated[int, Meta(ge=0, le=5)] | None = None
    """0 builds fastest, 5 searches longest; None: TensorRT's own (3)."""
    timing_cache: bool = True
    """Keep what was learnt about kernels on this board, so that later builds are short."""
    sparse: bool | None = None
    """Let TensorRT use its 2:4 sparse kernels; None: if a weight has that pattern, two zeros in every four."""
    dla_core: Annotated[int, Meta(ge=0, le=7)] | None = None
    """Put layers on this DLA core where it can run them, the rest on the GPU; None: all on the GPU."""
    tf32: bool = True
    """Let FP32 layers multiply with TF32's 10 bits of mantissa where the GPU has it (from Ampere on), as TensorRT does by
    itself; off: full FP32."""
    cuda_graph: bool = False
    """Time inferences recorded once as a CUDA graph and launched as one, instead of call by call."""
    trust: bool = False
    """Load a plan that edgetui did not build. A plan is code: only from people you trust."""

    def built_for(self) -> str:
        """`target`."""
        return self.target


class TorchSettings(OwnSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How PyTorch executes a model."""

    mode: Literal["eager", "compiled"] = "eager"
    """`eager`: one operator after another, as PyTorch code runs. `compiled`: by torch.compile, in seconds to minutes."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: an NVIDIA GPU where PyTorch sees one, else the CPU."""
    threads: Threads = 0
    """Threads inside an operator; 0: one for each physical core we may use."""
    tf32: bool = False
    """Let a GPU round FP32 factors to 10 bits (TF32): faster, and no longer what FP32 gives elsewhere."""


class OnnxRuntimeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How ONNX Runtime executes a model."""

    threads: Threads = 0
    """Threads inside an operator of ONNX Runtime; 0: one for each physical core we may use."""
    graph: Literal["off", "basic", "extended", "all"] = "all"
    """How far ONNX Runtime may rewrite the graph."""


class Tables(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The own table of each backend that has one, by the backend's name; the others pass over it."""

    tensorrt: TensorRtSettings = TensorRtSettings()
    """For the backend `tensorrt`; the others pass over it."""
    torch: TorchSettings = TorchSettings()
    """For the backend `torch`; the others pass over it."""


class BackendTable(Tables, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[backend]` of edgetui.toml: one table a backend."""

    onnxruntime: OnnxRuntimeSettings = OnnxRuntimeSettings()

    def of(self, name: BackendName) -> Struct:
        """The table of a backend; of one that has none an empty one."""
        table: Struct = msgspec.structs.asdict(self).get(name, OwnSettings())
        return table


class BackendSettings(Tables, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What executes the model, and how; part of every result's stamp."""

    name: BackendName = "onnxruntime"
    threads: Threads = 0
    """Threads inside an operator of ONNX Runtime; 0: one for each physical core we may use."""
    graph: Literal["off", "basic", "extended", "all"] = "all"
    """How far ONNX Runtime may rewrite the graph."""

    @property
    def own(self) -> OwnSettings:
        """The table of the backend that is chosen; ONNX Runtime's settings stand outside of any, and it gets an empty one."""
        table: OwnSettings = msgspec.structs.asdict(self).get(self.name, OwnSettings())
        return table

    @property
    def target(self) -> str:
        """The GPU elsewhere that a plan is built for; empty: plans are run here."""
        return self.own.built_for()


def settings_with(name: BackendName, table: Struct) -> BackendSettings:
    """Settings that choose a backend with its table, as `BackendTable.of` gives it; ONNX Runtime's stands outside of any."""
    fields: dict[str, Any] = {name: table} if name in Tables.__struct_fields__ else msgspec.structs.asdict(table)
    return BackendSettings(name=name, **fields)


def owners(key: str) -> list[str]:
    """The backends that have a setting of this name."""
    tables = msgspec.structs.asdict(BackendTable())
    return [name for name, table in tables.items() if key in table.__struct_fields__]
