"""The steps that a recipe may have. Strict when read: an unknown key is an error that names its nearest neighbour.

A class with a `function` is a step, and there is no other place to enter it: recipes, the settings pane, forecasts and reports
read the class and its facts (`step.py`). Fields are what a recipe may set; the sentence below one is the screen's help. Those
that prune stand in `pruning_steps.py`, those that train in `training_steps.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, cast

import msgspec
from msgspec import Meta, Struct

from .adaptive_steps import Adaptive
from .model_facts import ModelFacts
from .numbers import Count, Share
from .pruning_steps import PruneChannels, PruneMagnitude, PruneNm, Pruning
from .ready import ready
from .step import Kernels, SampleNeed, Step
from .training_steps import TrainDistill, TrainFinetune, Training, TrainPruneIterative, TrainQat

__all__ = [
    "STEPS",
    "Adaptive",
    "AnyStep",
    "LowrankSvd",
    "PrecisionFp16",
    "PruneChannels",
    "PruneMagnitude",
    "PruneNm",
    "Pruning",
    "QuantizeDynamic",
    "QuantizeInt8",
    "QuantizeShared",
    "QuantizeWeights",
    "Recipe",
    "TrainDistill",
    "TrainFinetune",
    "TrainPruneIterative",
    "TrainQat",
    "Training",
]


class LowrankSvd(Step, frozen=True, kw_only=True, tag="lowrank.svd"):
    """A Conv or Gemm becomes two smaller ones, where that saves multiplications (Zhang et al. 2016, with ranks by layer)."""

    function = "compress.low_rank:factor"
    needs = "optional"
    unsampled = "low-rank factors are of the weights alone, which costs much accuracy"
    resizes = True
    narrows = False  # a layer becomes two, with the channels that it had
    sparing = "exclude"
    sweeps: ClassVar[dict[str, tuple[float, ...]]] = {"macs": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)}
    one_of = (("macs", 0.75), ("retained", 0.95))

    macs: Share | None = None
    """Share of the model's multiplications that is left; ranks are chosen over all layers. Give this or `retained`."""
    retained: Share | None = None
    """Share of what each layer's outputs vary that is kept (of the weights' squares without samples)."""
    data_aware: bool = True
    """Choose factors and ranks by what layers give on calibration samples; off: by the weights alone."""
    repair: bool = True
    """Fit both factors, and the layers between, by least squares to what the layers gave before."""
    samples: Count = 256
    """Calibration samples to use, at most; labels are not needed."""
    exclude: tuple[str, ...] = ()
    """Nodes to leave whole: names, patterns or operators."""

    @property
    def need(self) -> SampleNeed:
        return "optional" if self.data_aware or self.repair else "none"

    @property
    def most_samples(self) -> int:
        return self.samples

    def spoils(self, before: Sequence[Step]) -> list[str]:
        found = []
        if any(step.integers for step in before):
            found.append("factors after quantization are of weights that ranges were not chosen for: factor first")
        if any(step.zeros for step in before):
            found.append("factors of pruned weights have no zeros: factor first, then prune")
        return found

    def mends(self, exclude: str, keep: str) -> list[str]:
        return ["leave more multiplications" if self.retained is None else "retain more"]


def _recurrent_floats(facts: ModelFacts, kernels: Kernels) -> int:
    """Weights of recurrent nodes that stay floats."""
    return 0 if kernels.integers_recurrent else facts.prunable_recurrent


class QuantizeInt8(Step, frozen=True, kw_only=True, tag="quantize.int8"):
    """Weights and activations as 8-bit integers, from ranges seen on calibration samples."""

    function = "compress.quantize:int8"
    needs = "calibration"
    sparing = "exclude"
    arithmetic = "int8"
    copies = 9.0  # measured with 113 MB: 8.8
    scale_bytes = 5  # with its zero-point
    node_bytes = 400  # pairs around it (measured: 240 to 500)
    only_with = (("percentile", "calibrator", "percentile"),)

    scheme: Literal["symmetric", "affine"] = "symmetric"
    """`symmetric`: weights around zero, activations as the backend does best. `affine`: asymmetric, weights
    and activations have zero-points, as in the paper."""
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

    @property
    def most_samples(self) -> int:
        return self.samples

    @property
    def weight_bits(self) -> float:
        return 8

    def table_bytes(self, facts: ModelFacts) -> float:
        return facts.tables + 4 * facts.table_rows * self.per_channel

    def left_wide(self, facts: ModelFacts, kernels: Kernels) -> int:
        return (0 if kernels.int8_everywhere else facts.prunable_in_floats) + _recurrent_floats(facts, kernels)

    def quantized_before(self, facts: ModelFacts) -> bool:
        return facts.quantized

    def mends(self, exclude: str, keep: str) -> list[str]:
        ways = [f"`exclude` {exclude} from {self.method}"] if exclude else []
        ways.append(f"choose another calibrator than {self.calibrator}")
        return ways if self.per_channel else [*ways, "give each channel a scale (`per_channel = true`)"]


class QuantizeWeights(Step, frozen=True, kw_only=True, tag="quantize.weights"):
    """Weights as integers, activations untouched: smaller, no calibration."""

    function = "compress.weight_only:weights"
    arithmetic = "integer weights"
    sparing = "exclude"
    copies = 6.0  # measured with 113 MB: 5.6
    scale_bytes = 4
    node_bytes = 120  # a DequantizeLinear before it (measured: 90 to 140)
    only_with = (("block", "grouping", "block"),)

    bits: Literal[8, 4] = 8
    """Bits a weight."""
    grouping: Literal["tensor", "channel", "block"] = "channel"
    """What shares one scale: the tensor, an output channel, or `block` weights along the input axis. Of a table of tokens a row
    has one, but for `tensor`."""
    block: Annotated[int, Meta(ge=8, le=1024)] = 32
    """Weights in a block, when `grouping` is `block`."""
    exclude: tuple[str, ...] = ()
    """Nodes to leave alone: names, patterns or operators."""

    @property
    def weight_bits(self) -> float:
        return self.bits + (32 / self.block if self.grouping == "block" else 0)

    def table_bytes(self, facts: ModelFacts) -> float:
        return facts.tables * self.bits / 8 + 4 * facts.table_rows * (self.grouping != "tensor")

    def left_wide(self, facts: ModelFacts, kernels: Kernels) -> int:
        recurrent = _recurrent_floats(facts, kernels)
        if self.grouping != "block" or kernels.blocks_anywhere:
            return recurrent
        return recurrent + sum(count for length, count in facts.prunable_deep.items() if length >= self.block)

    def quantized_before(self, facts: ModelFacts) -> bool:
        return facts.quantized and not (facts.prunable or facts.tables)  # what is float still can become integers

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        emulated = kernels.emulated.get(self.arithmetic)
        beside = f", and {emulated}" if emulated else ""
        return f"weights alone in integers make the file smaller; the arithmetic stays in floating point{beside}"

    def not_faster(self, kernels: Kernels) -> str:
        return "its arithmetic stays in floating point"

    def mends(self, exclude: str, keep: str) -> list[str]:
        ways = [f"`exclude` {exclude} from {self.method}"] if exclude else []
        return [*ways, "take 8 bits for the weights"] if self.bits == 4 else ways


class QuantizeDynamic(Step, frozen=True, kw_only=True, tag="quantize.dynamic"):
    """Weights as 8-bit integers, activations too with ranges found at run time: no calibration. For ONNX Runtime."""

    function = "compress.dynamic:dynamic"
    arithmetic = "int8"
    sparing = "exclude"
    scale_bytes = 4
    node_bytes = 500  # six nodes for one (measured: 380 to 560)

    per_channel: bool = True
    """One weight scale for each output channel, not one for the tensor."""
    exclude: tuple[str, ...] = ()
    """Nodes to leave in floating point: names, patterns such as `/head/*`, or operators such as `Conv`."""

    @property
    def weight_bits(self) -> float:
        return 8

    def table_bytes(self, facts: ModelFacts) -> float:
        return facts.tables + 4 * facts.table_rows * self.per_channel

    def left_wide(self, facts: ModelFacts, kernels: Kernels) -> int:
        return _recurrent_floats(facts, kernels)

    def quantized_before(self, facts: ModelFacts) -> bool:
        return facts.quantized and not (facts.prunable or facts.tables)

    def mends(self, exclude: str, keep: str) -> list[str]:
        return [f"`exclude` {exclude} from {self.method}"] if exclude else []


class QuantizeShared(Step, frozen=True, kw_only=True, tag="quantize.shared"):
    """The weights of each layer share few values, found by k-means (Han et al. 2016): a smaller file, the same arithmetic."""

    function = "compress.shared_values:share"
    arithmetic = "integer weights"
    sparing = "exclude"
    copies = 6.0
    node_bytes = 300  # a Cast, a Gather and the values (measured: 200 to 1300, by bits)

    bits: Annotated[int, Meta(ge=2, le=8)] = 4
    """2 to this many values for each layer: 4 to 256. Places are stored in 4 bits up to 16 values, else in 8."""
    exclude: tuple[str, ...] = ()
    """Nodes to leave alone: names, patterns or operators."""

    @property
    def weight_bits(self) -> float:
        return 4 if self.bits <= 4 else 8

    def table_bytes(self, facts: ModelFacts) -> float:
        return facts.tables * self.weight_bits / 8

    def quantized_before(self, facts: ModelFacts) -> bool:
        return facts.quantized and not (facts.prunable or facts.tables)

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        return "shared values make the file smaller; they become floats again before they are multiplied"

    def not_faster(self, kernels: Kernels) -> str:
        return "its arithmetic stays in floating point"

    def mends(self, exclude: str, keep: str) -> list[str]:
        ways = [f"`exclude` {exclude} from {self.method}"] if exclude else []
        return [*ways, "take more bits"] if self.bits < 8 else ways


class PrecisionFp16(Step, frozen=True, kw_only=True, tag="precision.fp16"):
    """Half precision; inputs and outputs stay FP32."""

    function = "compress.precision:fp16"
    needs = "optional"
    unsampled = "half precision is checked for overflow on weights alone"
    arithmetic = "float16"
    sparing = "keep"
    other_bits = 16

    keep: tuple[str, ...] = ()
    """Nodes to keep in FP32: names, patterns or operators. Values past 65504 are kept without asking."""

    @property
    def most_samples(self) -> int:
        return 32  # it looks for overflow, and no range is made of what it sees

    @property
    def weight_bits(self) -> float:
        return 16

    def left_wide(self, facts: ModelFacts, kernels: Kernels) -> int:
        return facts.prunable_in_bodies

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        return "half precision halves the file; on a CPU without FP16 arithmetic it is no faster, often slower"

    def not_faster(self, kernels: Kernels) -> str:
        return kernels.emulated.get(self.arithmetic, "")

    def mends(self, exclude: str, keep: str) -> list[str]:
        return [f"`keep` {keep} out of {self.method}"] if keep else []


def _kinds(family: type[Step]) -> Iterator[type[Step]]:
    """Steps below a class, in the order in which they are defined."""
    for kind in family.__subclasses__():
        if kind.function:
            yield kind
        yield from _kinds(kind)


STEPS: dict[str, type[Step]] = {
    str(kind.__struct_config__.tag): kind
    for kind in sorted(_kinds(Step), key=lambda kind: (kind.escalates, issubclass(kind, Training)))
}
"""Method to class; what takes longest comes late, what is last in a recipe last. Steps are defined above this line."""
if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = Union[tuple(STEPS.values())]  # noqa: UP007 - made of classes that are known once the module is read


def plain_step(method: str) -> Step:
    """A step with its defaults; where one of several fields must be given, the first is."""
    kind = STEPS[method]
    return _made(kind, {"method": method, **dict(kind.one_of[:1])})


def changed(step: Step, name: str, value: object) -> Step:
    """The step with another value in a field, and nothing in those that exclude it.

    Raises:
        msgspec.ValidationError: the field cannot have it.
    """
    others = {other: None for other, _ in step.one_of if other != name and any(name == one for one, _ in step.one_of)}
    return _made(type(step), msgspec.to_builtins(step) | others | {name: value})


def _made(kind: type[Step], table: dict[str, Any]) -> Step:
    return msgspec.convert(table, ready(kind))


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
    def active(self) -> tuple[Step, ...]:
        """The steps that are on."""
        return tuple(step for step in self.step if step.on)

    @property
    def last_learning(self) -> int:
        """Place of the last active step that learns; -1: none does."""
        return max((place for place, step in enumerate(self.active) if step.learns), default=-1)

    @property
    def escalating(self) -> Adaptive | None:
        """The step after which there are two plans; None: there is one."""
        return cast("Adaptive | None", next((step for step in self.active if step.escalates), None))
