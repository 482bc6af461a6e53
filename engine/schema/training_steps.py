"""The steps that train. They need PyTorch, and samples besides those that the model is evaluated with.

Apart from `steps.py`, which has them with all others, because what the loop is told is the same for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, structs

from .module_sources import factory, placed
from .numbers import Count, Positive, Share
from .pruning_steps import scattered_zeros
from .step import Kernels, SampleNeed, Step

SEPARABLE = "separable"
"""A student that is no file."""


class Training(Step, frozen=True, kw_only=True):
    """What every step that trains is told."""

    needs: ClassVar[SampleNeed] = "labelled"
    packages = ("torch",)
    copies = 10.0  # gradients and two moments as well
    learns = True
    resumes = True
    added: ClassVar[tuple[tuple[str, object], ...]] = (("patience", None), ("flip", False), ("shift", 0.0))

    epochs: Count = 3
    """How often every training sample is gone through, at most."""
    learning_rate: Positive = 1e-3
    """Where it begins; it falls to 0 along half a cosine."""
    batch: Count = 16
    """Samples in one step of the optimizer."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """`adam`, or `sgd` with momentum 0.9, which wants a learning rate of its own."""
    held_out: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    """Share of the training samples that is not trained on but tells after each epoch how well it goes: the weights of the
    best epoch are taken. 0: all are trained on, and the last epoch's weights are taken."""
    patience: Count | None = None
    """Epochs without a better one after which training ends; None: it goes through all."""
    flip: bool = False
    """Show images mirrored left to right half of the time."""
    shift: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    """Show images moved by up to this share of their side, each time another way."""
    samples: Count | None = None
    """Training samples to use, at most; None: all of the calibration set."""
    seed: Annotated[int, Meta(ge=0)] = 0
    """Draws the order of the samples, and whatever else is drawn."""

    @property
    def most_samples(self) -> int | None:
        return self.samples

    @property
    def ways(self) -> int | None:
        """In how many ways `flip` and `shift` show each image, by turns; None: in another each time."""
        return None

    def spoils(self, before: Sequence[Step]) -> list[str]:
        if any(step.integers for step in before):
            return ["training after quantization changes weights that ranges were chosen for: train first"]
        return []

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        times = f"its samples {self.epochs} epoch{'s' if self.epochs > 1 else ''}"
        return f"training goes through {times}, forward and back: minutes on a PC, up to hours on a board"


class TrainFinetune(Training, frozen=True, kw_only=True, tag="train.finetune"):
    """Train further on labelled samples, to win back what pruning cost. Needs PyTorch and the calibration set's labels."""

    function = "compress.train.finetune:finetune"

    keep_zeros: bool = True
    """Weights that are zero stay zero, so that a pruned model stays pruned."""

    def spoils(self, before: Sequence[Step]) -> list[str]:
        found = super().spoils(before)
        if not self.keep_zeros and any(step.zeros for step in before):
            found.append("with keep_zeros off, training fills the zeros that pruning makes")
        return found


class TrainDistill(Training, frozen=True, kw_only=True, tag="train.distill"):
    """A smaller model learns to answer as this one does, its teacher (Hinton et al. 2015). Needs PyTorch; labels help."""

    function = "compress.train.distill:distill"
    needs = "training"
    resizes = True
    copies = 14.0  # beside the student's gradients its teacher
    one_of = (("width", 0.5), ("student", "separable"))
    added = (*Training.added, ("weights", None), ("views", None))

    width: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """The student is this model with such a share of the channels of every layer. Give this or `student`."""
    student: str | None = None
    """A file with this model's inputs and outputs (ONNX, or `.pt2` of torch.export); `package.module:function` or
    `file.py:function` (e.g. nets.py:small), which is imported and returns a torch.nn.Module; or `separable`: this model,
    convolutions made depthwise separable."""
    weights: str | None = None
    """What a function's module begins with: a `.safetensors` file or a state dict, e.g. small.safetensors; None: as the
    function leaves it."""
    start: Literal["kept", "drawn"] = "kept"
    """`kept`: a student made of this model begins with what is left of its weights. `drawn`: with new ones."""
    temperature: Annotated[float, Meta(ge=1, le=1000)] = 4.0
    """Of both models' classes while they are compared: the higher, the more wrong classes count among each other."""
    alpha: Share = 0.1
    """Share of the labels in what is learnt; the rest is the teacher's. Without labels all of it is."""
    features: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    """Weight of what both look at inside (attention maps, Zagoruyko and Komodakis 2017), where names inside are the same."""
    views: Count | None = None
    """Show each image in so many ways of `flip` and `shift`, by turns: its teacher is asked once for each, and epochs after
    those are shorter. None: in another way each time."""
    epochs: Count = 5
    """How often every training sample is gone through, at most."""

    @property
    def ways(self) -> int | None:
        return self.views

    @property
    def files(self) -> tuple[str, ...]:
        if not self.student or self.student == SEPARABLE:
            return ()
        made = factory(self.student)
        return (made.file if made else self.student, *((self.weights,) if self.weights else ()))

    def located(self, folder: Path) -> TrainDistill:
        if not self.student or self.student == SEPARABLE:
            return self
        weights = str(folder / Path(self.weights).expanduser()) if self.weights else None
        return structs.replace(self, student=placed(self.student, folder), weights=weights)


class TrainQat(Training, frozen=True, kw_only=True, tag="train.qat"):
    """Train with the rounding of a `quantize.weights` or `quantize.int8` before it, so that weights and scales suit that."""

    function = "compress.train.qat:qat"

    scales: bool = True
    """Scales learn as well as weights (Esser et al. 2020). Off: those of weights in integers, and ranges, stay."""
    pairs: Literal["onnxruntime", "tensorrt"] = "onnxruntime"
    """After `quantize.int8`: whose pairs it learns with. They differ in what is rounded, and in zero-points."""
    keep_zeros: bool = True
    """Weights that are zero stay zero. Zeros that rounding made learn, where `quantize.weights` was a step before; of a model
    that came in integers nobody knows them, and they stay as well."""

    def spoils(self, before: Sequence[Step]) -> list[str]:
        found = []
        if not any(step.integers for step in before):
            found.append(
                f"no step before {self.method} quantizes: it trains what the model itself has in integers, if anything"
            )
        if not self.keep_zeros and any(step.zeros for step in before):
            found.append("with keep_zeros off, training fills the zeros that pruning makes")
        return found


class TrainPruneIterative(Training, frozen=True, kw_only=True, tag="train.prune_iterative"):
    """Rank, remove a few of the smallest weights or channels, train the rest, and again: more can go than at once."""

    function = "compress.train.prune_iterative:prune_iteratively"
    only_with = (
        ("scope", "unit", "weights"),
        ("only", "unit", "weights"),
        ("round_to", "unit", "channels"),
        ("streams", "unit", "channels"),
    )

    unit: Literal["weights", "channels"] = "weights"
    """`weights`: here and there, to be zero (Han et al. 2015). `channels`: whole ones, which are removed (Li et al. 2017)."""
    amount: Share = 0.5
    """Share that is gone in the end, 0..1."""
    rounds: Count = 5
    """How often some go and the rest is trained, `epochs` each time."""
    schedule: Literal["cubic", "linear"] = "cubic"
    """`linear`: as many each round. `cubic`: many at first, then fewer and fewer (Zhu and Gupta 2017)."""
    drop: Share | None = None
    """End when accuracy on the samples held out is further below the original's than this, 0.01 for a point, and take the
    round before; None: go through all rounds."""
    scope: Literal["layer", "global"] = "global"
    """Rank weights within each tensor (two of each recurrent node), or over all of them."""
    only: tuple[str, ...] = ()
    """Nodes whose weights are pruned: names, patterns such as `/head/*`, or operators such as `Conv`; none: all."""
    exclude: tuple[str, ...] = ()
    """Nodes whose weights, or output channels, stay: names, patterns or operators."""
    round_to: Count = 8
    """Channels left are a multiple of this, as kernels are fastest with; of less in narrow layers."""
    streams: bool = False
    """Residual streams too: channels that are added to others."""
    epochs: Count = 1
    """How often every training sample is gone through after each round, at most."""
    learning_rate: Positive = 2e-4
    """Where it begins in each round; it falls to 0 along half a cosine. More unlearns what is trained (ResNet-20, half of its
    weights gone with 2000 samples: 0.814 with this, 0.771 with 1e-3)."""

    @property
    def zeros(self) -> bool:
        return self.unit == "weights"

    @property
    def resizes(self) -> bool:
        return self.unit == "channels"

    @property
    def share(self) -> float | None:
        whole = self.zeros and not self.only and not self.exclude and self.drop is None
        return self.amount if whole else None

    def spoils(self, before: Sequence[Step]) -> list[str]:
        late = any(step.integers for step in before)
        return ["pruning after quantization changes weights that ranges were chosen for: prune first"] if late else []

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        times = f"its samples {self.rounds * self.epochs} times"
        long = f"training goes through {times}, forward and back: minutes on a PC, up to hours on a board"
        return f"{scattered_zeros(steps)}; {long}" if self.zeros else long

    def not_faster(self, kernels: Kernels) -> str:
        return "its zeros are scattered and the plan is dense" if self.zeros else ""

    def mends(self, exclude: str, keep: str) -> list[str]:
        return ["prune less"]
