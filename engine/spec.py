"""What may be asked of the engine: recipes and their steps, datasets, workloads, runs.

Values only, frozen, and strict when read: an unknown key is an error that names its nearest neighbour.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from .errors import UsageError

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1e12)]
"""Infinity is no amount of anything."""
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]
Count = Annotated[int, Meta(ge=1)]


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="method"):
    """One compression method with its parameters."""

    on: bool = True
    """A step that is off stays in the recipe and is passed over."""

    @property
    def method(self) -> str:
        """The step's name in a recipe, e.g. `prune.magnitude`."""
        return str(self.__struct_config__.tag)


class PruneMagnitude(Step, frozen=True, kw_only=True, tag="prune.magnitude"):
    """Zero the smallest weights by absolute value (Han et al. 2015). Biases stay."""

    scope: Literal["layer", "global"] = "layer"
    """Rank weights within each Conv, Gemm and MatMul, or over all of them."""
    amount: Share | None = None
    """Share of weights to zero, 0..1. Give this or `threshold`."""
    threshold: Positive | None = None
    """Zero every |w| below this, e.g. 1e-3."""

    def __post_init__(self) -> None:
        if (self.amount is None) == (self.threshold is None):
            raise ValueError("give either `amount` or `threshold`")


class QuantizeInt8(Step, frozen=True, kw_only=True, tag="quantize.int8"):
    """Weights and activations as 8-bit integers, from ranges seen on calibration samples."""

    scheme: Literal["symmetric", "affine"] = "symmetric"
    """`symmetric`: weights around zero, activations as the backend does best. `affine`: s and p of both as in the paper."""
    calibrator: Literal["minmax", "entropy", "percentile", "mse"] = "percentile"
    """How an activation's range is chosen from what was seen."""
    percentile: Annotated[float, Meta(gt=50, le=100)] = 99.99
    """Share of values inside the range, in percent; for the percentile calibrator."""
    per_channel: bool = True
    """One weight scale for each output channel, not one for the tensor."""
    samples: Count = 500
    """Calibration samples to use, at most."""
    exclude: tuple[str, ...] = ()
    """Nodes to leave in floating point: names, patterns such as `/head/*`, or operators such as `Softmax`."""


class QuantizeWeights(Step, frozen=True, kw_only=True, tag="quantize.weights"):
    """Weights as integers, activations untouched: smaller, no calibration."""

    bits: Literal[8, 4] = 8
    """Bits a weight."""
    grouping: Literal["tensor", "channel", "block"] = "channel"
    """What shares one scale: the tensor, an output channel, or `block` weights along the input axis."""
    block: Annotated[int, Meta(ge=8, le=1024)] = 32
    """Weights in a block, when `grouping` is `block`."""
    exclude: tuple[str, ...] = ()
    """Nodes to leave alone: names, patterns or operators."""


class PrecisionFp16(Step, frozen=True, kw_only=True, tag="precision.fp16"):
    """Half precision; inputs and outputs stay FP32."""

    keep: tuple[str, ...] = ()
    """Nodes to keep in FP32: names, patterns or operators. Values past 65504 are kept without asking."""


class TrainFinetune(Step, frozen=True, kw_only=True, tag="train.finetune"):
    """Train further on labelled samples, to win back what pruning cost. Needs PyTorch and the calibration set's labels."""

    epochs: Count = 3
    """How often every training sample is gone through."""
    learning_rate: Positive = 1e-3
    """Where it begins; it falls to 0 along half a cosine."""
    batch: Count = 16
    """Samples in one step of the optimizer."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """`adam`, or `sgd` with momentum 0.9, which wants a learning rate of its own."""
    keep_zeros: bool = True
    """Weights that are zero stay zero, so that a pruned model stays pruned."""
    samples: Count | None = None
    """Training samples to use, at most; None: all of the calibration set."""
    seed: Annotated[int, Meta(ge=0)] = 0
    """Draws the order of the samples."""


AnyStep = PruneMagnitude | QuantizeInt8 | QuantizeWeights | PrecisionFp16 | TrainFinetune
STEPS: dict[str, type[Step]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (PruneMagnitude, QuantizeInt8, QuantizeWeights, PrecisionFp16, TrainFinetune)
}


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ordered list of steps."""

    name: str = ""
    """The file's stem; `*edited` recipes of the screen keep the name they came from."""
    title: str = ""
    """One line for people."""
    least_cosine: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Fail the run when the outputs' cosine with the baseline's falls below this; None: it is only reported."""
    step: tuple[AnyStep, ...] = ()

    @property
    def active(self) -> tuple[AnyStep, ...]:
        """The steps that are on."""
        return tuple(step for step in self.step if step.on)


class ImageInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an image file becomes the model's input: (pixel / scale - mean) / std."""

    size: tuple[Count, Count] | None = None
    """[width, height] to resize to; None: the model's own."""
    layout: Literal["NCHW", "NHWC"] | None = None
    """None: what the model's input shape says."""
    color: Literal["RGB", "BGR", "GRAY"] | None = None
    """None: RGB for three channels, GRAY for one."""
    scale: Positive = 255.0
    mean: tuple[Number, ...] = ()
    """One number a channel, or one for all; empty: 0."""
    std: tuple[Positive, ...] = ()
    """One number a channel, or one for all; empty: 1."""
    name: str = ""
    """Which input of the model; empty: its only one."""


class Dataset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Samples for calibration and evaluation, all paths absolute."""

    kind: Literal["image-folder", "npz"]
    path: str
    calibration: str = ""
    """Where calibration samples are; empty: a fixed share of `path`, which evaluation then leaves out."""
    task: Literal["classification", "none"] = "classification"
    """`none`: labels are not used even where there are some."""
    input: ImageInput = ImageInput()
    name: str = ""


class FlatOut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="flat-out"):
    """One stream, closed loop: the next inference begins when the last has ended."""


class Paced(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="paced"):
    """One inference at each beat of a fixed clock, as a camera gives frames."""

    rate_hz: Annotated[float, Meta(ge=0.01, le=1e6)] = 30.0
    """A beat of minutes would outlast every limit of time."""


Workload = FlatOut | Paced
Preset = Literal["quick", "normal", "precise"]
BackendName = Literal["onnxruntime", "tensorrt", "torch"]
Megabytes = Annotated[int, Meta(ge=1)]


class TensorRtSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How TensorRT builds and loads a plan."""

    target: Annotated[str, Meta(pattern=r"^(sm_\d{2,3})?$")] = ""
    """`sm_86`: a plan for that kind of GPU, which need not be in this machine; empty: for the GPU that is here."""
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


class TorchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How PyTorch executes a model."""

    mode: Literal["eager", "compiled"] = "eager"
    """`eager`: one operator after another, as PyTorch code runs. `compiled`: by torch.compile, in seconds to minutes."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: an NVIDIA GPU where PyTorch sees one, else the CPU."""
    threads: Annotated[int, Meta(ge=0)] = 0
    """Threads inside an operator; 0: one for each physical core we may use."""
    tf32: bool = False
    """Let a GPU round FP32 factors to 10 bits (TF32): faster, and no longer what FP32 gives elsewhere."""


class BackendSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What executes the model, and how; part of every result's stamp."""

    name: BackendName = "onnxruntime"
    threads: Annotated[int, Meta(ge=0)] = 0
    """Threads inside an operator of ONNX Runtime; 0: one for each physical core we may use."""
    graph: Literal["off", "basic", "extended", "all"] = "all"
    """How far ONNX Runtime may rewrite the graph."""
    tensorrt: TensorRtSettings = TensorRtSettings()
    """For the backend `tensorrt`; the others pass over it."""
    torch: TorchSettings = TorchSettings()
    """For the backend `torch`; the others pass over it."""

    @property
    def target(self) -> str:
        """The GPU elsewhere that a plan is built for; empty: plans are run here."""
        return self.tensorrt.target if self.name == "tensorrt" else ""


class RunSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run: (model, recipe, backend, workload, dataset), carried through all its stages."""

    model: str
    """Absolute path of an ONNX file."""
    recipe: Recipe
    backend: BackendSettings = BackendSettings()
    dataset: Dataset | None = None
    """None: no evaluation; calibration data are needed only by some steps."""
    calibration: Dataset | None = None
    """None: what `dataset` says."""
    workload: Workload = FlatOut()
    preset: Preset = "normal"
    shapes: dict[str, tuple[int, ...]] = {}
    """Input name to the shape it shall have; needed where a dynamic axis is not the batch, which is 1 if nothing is said."""
    seed: int = 0
    """Draws the calibration share and the order of blocks."""
    measure: bool = True
    """False: stop after verify (`edgetui build`)."""


def field_names(kind: type[Struct]) -> tuple[str, ...]:
    """The keys a TOML table of this kind may have."""
    return tuple(field.encode_name for field in msgspec.structs.fields(kind))


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Read `NAME=1x3x224x224`: an input's name and the shape it shall have.

    Raises:
        UsageError: there is no name, or something that is no positive whole number.
    """
    name, equals, sizes = text.rpartition("=")
    parts = sizes.lower().split("x")
    if not equals or not name or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"`{text}` is no shape", fix="write the input's name and its sizes, e.g. --shape image=1x3x224x224")
    return name, tuple(int(part) for part in parts)


def parse_workload(text: str) -> Workload:
    """Read `flat-out`, `paced` (30 a second) or `paced:HZ`.

    Raises:
        UsageError: it is none of them.
    """
    kind, colon, rate = text.partition(":")
    if kind == "flat-out" and not colon:
        return FlatOut()
    if kind == "paced" and not colon:
        return Paced()
    try:
        return msgspec.convert({"kind": kind, "rate_hz": float(rate)}, Paced)
    except (ValueError, msgspec.ValidationError):
        raise UsageError(f"`{text}` is no workload", fix="write flat-out, paced or paced:HZ, e.g. paced:15") from None
