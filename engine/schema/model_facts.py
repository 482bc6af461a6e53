"""What `inspect` finds in an ONNX file."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..errors import Refusal


class TensorFacts(Struct, frozen=True, kw_only=True):
    """An input or output as the file declares it."""

    name: str
    dtype: str
    """ONNX's word in lower case: float, float16, int64, ..."""
    shape: tuple[int | str | None, ...] = ()
    """A number; a name for a dynamic axis; None for a dynamic axis without a name."""


class ModelFacts(Struct, frozen=True, kw_only=True):
    """What `inspect` finds in an ONNX file."""

    name: str
    path: str = ""
    sha256: str = ""
    size_bytes: int = 0
    """The file and its external data."""
    ir_version: int = 0
    opset: int = 0
    domains: dict[str, int] = {}
    """Operator sets besides ONNX's own."""
    producer: str = ""
    inputs: tuple[TensorFacts, ...] = ()
    outputs: tuple[TensorFacts, ...] = ()
    parameters: int = 0
    nonzero: int = 0
    macs: int | None = None
    """Multiply-accumulates of one inference at `shapes`; None: a shape is not known."""
    operators: dict[str, int] = {}
    """Operator to how often it occurs, most frequent first."""
    prunable: int = 0
    """Weights of Conv, Gemm, MatMul and recurrent nodes: what pruning and quantization act on."""
    prunable_bytes: int | None = None
    """Bytes that these take as they are stored; None: an older document."""
    prunable_in_floats: int = 0
    """Those of them that stay floats with INT8 for want of a kernel: of ConvTranspose, left of a MatMul, or in bodies."""
    prunable_in_bodies: int = 0
    """Those that only bodies (If, Loop, Scan) read: they stay floats with half precision too."""
    prunable_deep: dict[int, int] = {}
    """Those whose summed axis is none of the last two, by its length: TensorRT reads no blocks along such an axis."""
    prunable_recurrent: int = 0
    """Those of recurrent nodes (W and R of LSTM, GRU and RNN): they become integers alone, and for TensorRT stay floats."""
    tables: int = 0
    """Numbers in tables that ids choose rows of (embeddings): quantization alone acts on them, not for TensorRT."""
    table_rows: int = 0
    """Rows of these: scales that integers of them need."""
    scales: int = 0
    """Output channels of these weights: scales that integers of them need."""
    plain_bytes: int | None = None
    """The file once it holds what it computes from constants, in place of those; None: an older document."""
    histogram: tuple[int, ...] = ()
    """Counts of the weights, of integers what they stand for, in equal bins from `histogram_low` to `histogram_high`."""
    histogram_low: float = 0.0
    histogram_high: float = 0.0
    activation_low: float | None = None
    activation_high: float | None = None
    """Between which values quantized activations lie, by their scales and zero-points; None: the file has none."""
    shapes: dict[str, tuple[int, ...]] = {}
    """Input shapes that would be run, dynamic axes settled."""
    open_axes: tuple[str, ...] = ()
    """Inputs with a dynamic axis that is not the batch and has no value, written as the flag would be: `image=1x3x?x?`."""
    refused: dict[str, tuple[str, ...]] = {}
    """The `refusals` in the words of the command line."""
    refusals: dict[str, tuple[Refusal, ...]] = {}
    """Backend to what it would refuse; an empty tuple: reads it. `tensorrt-rtx` stands here where it refuses
    other things than TensorRT itself.
    """
    plugins: tuple[str, ...] = ()
    """Plugins that TensorRT needs for this model and does not bring."""
    quantized: bool = False
    """Has QuantizeLinear nodes already."""

    def __post_init__(self) -> None:
        """An older document has the sentences alone; whoever inspects gives the values alone."""
        if self.refused and not self.refusals:
            values = {backend: tuple(Refusal(line) for line in lines) for backend, lines in self.refused.items()}
            msgspec.structs.force_setattr(self, "refusals", values)
        elif self.refusals and not self.refused:
            lines = {backend: tuple(map(str, values)) for backend, values in self.refusals.items()}
            msgspec.structs.force_setattr(self, "refused", lines)
