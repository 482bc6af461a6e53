"""The result document: what `run --json` and `show --json` print and result.json holds.

`None` is unknown; `reasons` says why, by the field's path (`candidate.latency_ms.p99`). Never 0 for unknown.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

State = Literal["done", "failed", "cancelled", "crashed", "running", "queued"]


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
    """Weights of Conv, Gemm and MatMul: what pruning and quantization act on."""
    prunable_bytes: int | None = None
    """Bytes that these take as they are stored; None: an older document."""
    prunable_in_floats: int = 0
    """Those of them that stay floats with INT8 for want of a kernel: of ConvTranspose, left of a MatMul, or in bodies."""
    prunable_in_bodies: int = 0
    """Those that only bodies (If, Loop, Scan) read: they stay floats with half precision too."""
    prunable_deep: dict[int, int] = {}
    """Those whose summed axis is none of the last two, by its length: TensorRT reads no blocks along such an axis."""
    scales: int = 0
    """Output channels of these weights: scales that integers of them need."""
    plain_bytes: int | None = None
    """The file once it holds what it computes from constants, in place of those; None: an older document."""
    histogram: tuple[int, ...] = ()
    """Counts of the weights, of integers what they stand for, in equal bins from `histogram_low` to `histogram_high`."""
    histogram_low: float = 0.0
    histogram_high: float = 0.0
    shapes: dict[str, tuple[int, ...]] = {}
    """Input shapes that would be run, dynamic axes settled."""
    open_axes: tuple[str, ...] = ()
    """Inputs with a dynamic axis that is not the batch and has no value, written as the flag would be: `image=1x3x?x?`."""
    refused: dict[str, tuple[str, ...]] = {}
    """Backend to what it would refuse, one sentence each; an empty tuple: reads it. `tensorrt-rtx` stands here where it refuses
    other things than TensorRT itself.
    """
    plugins: tuple[str, ...] = ()
    """Plugins that TensorRT needs for this model and does not bring."""
    quantized: bool = False
    """Has QuantizeLinear nodes already."""


class RecipeStamp(Struct, frozen=True, kw_only=True):
    """Which recipe ran: its name and its steps as TOML."""

    name: str = ""
    title: str = ""
    toml: str = ""


class DatasetStamp(Struct, frozen=True, kw_only=True):
    """Which samples were used."""

    name: str = ""
    path: str = ""
    evaluated: int | None = None
    calibrated: int | None = None
    calibration: str = ""
    """Where calibration samples came from, in words."""
    skipped: int = 0
    """Broken files that were passed over."""


class BoardStamp(Struct, frozen=True, kw_only=True):
    """The machine and its state when measuring began."""

    name: str = ""
    os: str = ""
    kernel: str = ""
    cpu: str = ""
    cores: int | None = None
    memory_mb: float | None = None
    memory_free_mb: float | None = None
    power_mode: str | None = None
    clocks: str | None = None
    """`locked`, `floating`; None: cannot be told here."""
    governor: str | None = None
    fan_rpm: float | None = None
    temps_c: dict[str, float | None] = {}
    load_1min: float | None = None
    busy: tuple[str, ...] = ()
    """Processes that used more than a tenth of a core when measuring began."""
    wall: str = ""
    """When measuring began, ISO 8601."""


class BackendStamp(Struct, frozen=True, kw_only=True):
    """What executed the plans."""

    name: str = ""
    version: str = ""
    threads: int | None = None
    graph: str = ""
    provider: str = ""
    mode: str = ""
    """torch: eager or compiled; empty: the backend has one way."""
    device: str = ""
    """torch: `cpu`, or the GPU's name and compute capability."""
    tf32: bool | None = None
    """On a GPU: whether FP32 factors may be rounded to TF32; None: there is no such hardware, or the backend does not say."""


class Latency(Struct, frozen=True, kw_only=True):
    """Milliseconds of one inference, one stream, closed loop."""

    mean: float | None = None
    half_width: float | None = None
    """Half width of the 95 % interval of the mean over blocks, in ms."""
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    min: float | None = None
    max: float | None = None
    sd: float | None = None
    iqr: float | None = None
    n: int | None = None
    """Inferences that were timed."""
    blocks: int | None = None
    capped: bool | None = None
    """True: time ran out before the interval was as narrow as the preset wants."""
    wanted_half_width: float | None = None
    """What the preset wants, as a share of the mean."""
    missed_deadlines: int | None = None
    """Paced workload only: inferences that took longer than a beat."""


class MemoryMb(Struct, frozen=True, kw_only=True):
    """Memory in MB (10^6 bytes), each figure under its own name."""

    plan: float | None = None
    """The plan's own device memory."""
    process_peak: float | None = None
    """Largest resident memory of a process that has this plan alone."""
    system_drop: float | None = None
    """By how much available system memory fell while that process lived."""


class Power(Struct, frozen=True, kw_only=True):
    """Watts while measuring; idle with the model unloaded."""

    mean: float | None = None
    peak: float | None = None
    idle: float | None = None


class Energy(Struct, frozen=True, kw_only=True):
    """Joules for each inference."""

    gross: float | None = None
    net: float | None = None
    """Idle power subtracted."""


class Accuracy(Struct, frozen=True, kw_only=True):
    """Over the labelled samples; precision, recall and F1 are macro averages over the classes seen."""

    top1: float | None = None
    top1_low: float | None = None
    """95 % interval by bootstrap over samples."""
    top1_high: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    n: int | None = None
    """Labelled samples."""


class Metrics(Struct, frozen=True, kw_only=True):
    """All figures of one side: baseline or candidate."""

    size_bytes: int | None = None
    size_gz_bytes: int | None = None
    """Compressed with gzip: where scattered zeros show."""
    plan_bytes: int | None = None
    parameters: int | None = None
    nonzero: int | None = None
    macs: int | None = None
    load_ms: float | None = None
    first_ms: float | None = None
    latency_ms: Latency = Latency()
    device_ms: float | None = None
    """The part of an inference that a GPU computes, without the copies to and from it, by its own clock; None: no GPU."""
    fps: float | None = None
    memory_mb: MemoryMb = MemoryMb()
    power_w: Power = Power()
    energy_j_per_inference: Energy = Energy()
    accuracy: Accuracy = Accuracy()


class Ratio(Struct, frozen=True, kw_only=True):
    """Candidate over baseline with its 95 % interval."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    interleaved: bool = False


class Difference(Struct, frozen=True, kw_only=True):
    """Candidate against baseline."""

    latency_ratio: Ratio = Ratio()
    size_ratio: float | None = None
    memory_ratio: float | None = None
    """Process peaks."""
    energy_ratio: float | None = None
    top1_points: Ratio = Ratio()
    """Paired difference of top-1 as a share (0.01 = one point), with its interval; `value` is candidate minus baseline."""
    mcnemar_p: float | None = None


class OutputFidelity(Struct, frozen=True, kw_only=True):
    """One output, or one of the parts that lie side by side in it, on both sides."""

    name: str
    part: str = ""
    """The tensor inside the model that this part comes from; empty: the whole output."""
    kind: Literal["quantity", "labels"] = "quantity"
    """`labels` (classes, places, masks, texts) are equal or they are not: no difference of two means anything."""
    ranked: bool = False
    """The data choose its rows (TopK, NonMaxSuppression): figures are over rows that have a twin on the other side."""
    offset_rate: float | None = None
    offset_rate_abs: float | None = None
    cosine: float | None = None
    sqnr_db: float | None = None
    max_abs: float | None = None
    agreement: float | None = None
    """Share of equal elements, where elements are whole numbers, truth values or texts; rows without a twin are unequal."""
    rows_matched: float | None = None
    """Of ranked rows."""


class Fidelity(Struct, frozen=True, kw_only=True):
    """The candidate's outputs beside the baseline's on the same samples.

    Offset rates are over all outputs that are quantities; cosine, SQNR and largest error of the quantity that fares worst.
    """

    offset_rate: float | None = None
    """Mean of (a - b) / a, a the baseline's element; signed, as the paper has it."""
    offset_rate_abs: float | None = None
    left_out: int | None = None
    """Elements too near zero to divide by."""
    cosine: float | None = None
    sqnr_db: float | None = None
    max_abs: float | None = None
    agreement: float | None = None
    """Share of equal elements of the output of labels that fares worst; without labels, of the worst of whole numbers."""
    rows_matched: float | None = None
    """Share of the rows that have a twin on the other side, where the data choose rows; of the output that fares worst."""
    score_matched: float | None = None
    """The same with each row weighted by its score, where an output holds scores between 0 and 1."""
    samples: int | None = None
    outputs: tuple[OutputFidelity, ...] = ()
    ruined: str = ""
    """What noise drowns, and the first node where; empty: nothing. It is among the result's warnings too."""


class StageFigures(Struct, frozen=True, kw_only=True):
    """What a stage cost."""

    name: str
    seconds: float | None = None
    peak_mb: float | None = None
    energy_j: float | None = None
    cached: bool = False
    summary: str = ""


class Failure(Struct, frozen=True, kw_only=True):
    """Why a run did not end well."""

    stage: str
    what: str
    fix: str


class Result(Struct, frozen=True, kw_only=True):
    """One run, from question to answer."""

    run: str
    state: State
    model: ModelFacts | None = None
    recipe: RecipeStamp = RecipeStamp()
    dataset: DatasetStamp | None = None
    board: BoardStamp = BoardStamp()
    backend: BackendStamp = BackendStamp()
    preset: str = "normal"
    workload: str = "flat-out"
    conditions: dict[str, str] = {}
    """Data, preprocessing, task, samples and workload as they were asked for: runs share a baseline where they are the same,
    and model, backend and board too."""
    baseline: Metrics = Metrics()
    candidate: Metrics = Metrics()
    difference: Difference = Difference()
    verdict: dict[str, str] = {}
    """Metric (`latency`, `size`, `memory`, `accuracy`) to a word: faster, smaller, ..., `no difference shown`."""
    fidelity: Fidelity = Fidelity()
    stages: tuple[StageFigures, ...] = ()
    artifacts: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    reasons: dict[str, str] = {}
    error: Failure | None = None


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
    """Why layers are not known; empty: they are."""


encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Result)


def decode(data: bytes) -> Result:
    """Read a result document; keys of later versions are passed over.

    Raises:
        msgspec.DecodeError: the bytes are no such document.
    """
    return _decoder.decode(data)
