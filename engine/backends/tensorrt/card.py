"""The card of TensorRT and TensorRT-RTX."""

from __future__ import annotations

import importlib.util

from ...errors import Fix
from ...schema.settings import BackendSettings
from ...schema.step import Kernels
from ...system import tensorrt_here
from ..card import Card, Lowering, ModelReader, Presence, Searched


class TensorRtCard(Card):
    """See `card.Card`."""

    name = "tensorrt"
    title = "TensorRT"
    adapter = "tensorrt.adapter:TensorRt"
    keeps = "timing"
    packages = tensorrt_here.PACKAGES
    tied_to_gpu = True
    needs_gpu = True
    lowerings = (
        Lowering("tensorrt", title, pairs="tensorrt"),
        # Before TensorRT 10 builder flags say FP16, and the annotation for it stays in the file.
        Lowering("tensorrt-flags", title, pairs="tensorrt", folds_integers=True, half="flag"),
    )
    readers = (
        ModelReader(name, "lint_tensorrt:refusals"),
        ModelReader("tensorrt-flags", "lint_tensorrt:refusals", ("flags",)),
        ModelReader("tensorrt-rtx", "lint_tensorrt:refusals", ("rtx",), narrower=True),
    )
    advice = Fix("run with {} on a board, which has TensorRT itself", "backend", name)
    kernels = Kernels(int8_everywhere=True, blocks_anywhere=False, integers_recurrent=False, integers_tables=False, sparse=True)
    plan_suffixes = (".plan", ".engine", ".trt")
    beside_plans = (".json",)
    plan_is_deployed = True
    lowered_beside = "tensorrt"
    names_origins = True
    sparse_kernels = True
    takes_plugins = True
    one_stream = "a TensorRT plan has one execution context here, which one stream uses"
    run_only = ("cuda_graph", "trust")
    in_every_key = True
    searched = (
        Searched("optimization_level", (3, 4, 5), usual=3),
        Searched("cuda_graph", ("off", "on"), usual="off", moves_outputs=False),
    )

    def reader(self, settings: BackendSettings) -> str:
        """Only TensorRT-RTX builds for a GPU that is not here, and it reads less."""
        return "tensorrt-rtx" if settings.target else self.name

    def flat_out_only(self) -> str:
        """Where there is only the command."""
        alone = not tensorrt_here.packages() and tensorrt_here.trtexec() is not None
        return "trtexec issues inferences flat out only" if alone else ""

    def has_half(self, settings: BackendSettings) -> bool:
        """Every GPU that TensorRT runs on has it."""
        return not settings.target

    def line(self, settings: BackendSettings) -> str:
        """`tensorrt, for the GPU here, no TF32`."""
        asked = settings.tensorrt
        words = [f"for {asked.target}" if asked.target else "for the GPU here"]
        words += [] if asked.sparse is None else ["2:4 sparse kernels allowed" if asked.sparse else "no sparse kernels"]
        words += [f"DLA core {asked.dla_core}"] if asked.dla_core is not None else []
        words += [] if asked.tf32 else ["no TF32"]
        words += [] if asked.optimization_level is None else [f"optimisation level {asked.optimization_level}"]
        words += ["CUDA graph"] if asked.cuda_graph and not asked.target else []
        return f"{self.name}, {', '.join(words)}"

    def here(self) -> Presence | None:
        """Packages of this Python, else what the system has instead."""
        found = [f"{name} {version}" for name, version in tensorrt_here.packages().items()]
        if found:
            alone = not tensorrt_here.device_nodes()
            gpu = "; no GPU here: it builds plans for others (`edgetui build --target sm_86`)" if alone else ""
            runs = "" if importlib.util.find_spec("pycuda") or alone else "; to run plans: pip install pycuda"
            return Presence("TensorRT", "note", f"{', '.join(found)}{gpu}{runs}")
        for folder in tensorrt_here.system_pythons().values():
            text = f"the system's Python has it ({folder}) and this one does not see it"
            mend = "python3 -m venv --system-site-packages, with the system's own python3"
            return Presence("TensorRT", "note", text, mend)
        command = tensorrt_here.trtexec()
        return None if command is None else Presence("TensorRT", "note", f"{command}; this Python has no TensorRT")


CARD = TensorRtCard()
