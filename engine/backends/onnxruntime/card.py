"""The card of ONNX Runtime on the CPU: the backend that works everywhere, and the one that others are held against."""

from __future__ import annotations

from pathlib import Path

from ...errors import Fix
from ...schema.settings import BackendSettings
from ...schema.step import Kernels
from ...system.onnx_metadata import is_plan
from ..card import Card, Lowering, ModelReader, Presence, Searched, thread_words

_FP32_SCALES = "its integer kernels have no FP16 beside them"
"""They read float32 scales only; halving the rest would put casts around every one of them."""
_ONE_ZERO_POINT = "for ONNX Runtime 1.23 has no kernel for a zero-point in each channel"


class OnnxRuntimeCard(Card):
    """See `card.Card`."""

    name = "onnxruntime"
    title = "ONNX Runtime"
    adapter = "onnxruntime.adapter:OnnxRuntime"
    lowerings = (
        Lowering(
            "onnxruntime-x86",
            title,
            one_scale=_ONE_ZERO_POINT,
            ranges_at_run_time=True,
            no_half_beside_integers=_FP32_SCALES,
        ),
        Lowering(
            "onnxruntime-arm",
            title,
            signed=True,
            exact=True,
            one_scale=_ONE_ZERO_POINT,
            ranges_at_run_time=True,
            no_half_beside_integers=_FP32_SCALES,
        ),
    )
    readers = (ModelReader(name, "lint_onnxruntime:refusals"),)
    advice = Fix("run with {}", "backend", name)
    kernels = Kernels(emulated={"float16": "ONNX Runtime computes half precision in FP32 on this CPU"})
    runs_models = True
    sizes_in_file = False
    least_cosine = None
    on_cpu = True
    checked_early = True
    searched = (
        Searched("threads", moves_outputs=False),
        Searched("graph", ("all", "extended", "basic"), usual="all"),
    )

    def is_plan(self, path: Path) -> bool:
        """Told by the stamp at its end: it is an ONNX file."""
        return is_plan(path)

    def line(self, settings: BackendSettings) -> str:
        """`onnxruntime, 2 threads`."""
        rewriting = "" if settings.graph == "all" else f", graph options {settings.graph}"
        return f"{self.name}, {thread_words(settings.threads)}{rewriting}"

    def here(self) -> Presence:
        """Nothing runs without it: plans of other backends are compared with it."""
        from importlib import metadata  # a tenth of what `edgetui --help` takes, and the table of cards is read everywhere

        for package in ("onnxruntime", "onnxruntime-gpu"):
            try:
                return Presence("backend", "good", f"onnxruntime {metadata.version(package)}, on the CPU")
            except metadata.PackageNotFoundError:
                continue
        return Presence("backend", "bad", "onnxruntime is missing", "pip install onnxruntime")


CARD = OnnxRuntimeCard()
