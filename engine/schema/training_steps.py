"""The steps that train. They need PyTorch, and samples besides those that the model is evaluated with.

Apart from `steps.py`, which has them with all others, because what the loop is told is the same for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, structs

from .numbers import Count, Positive, Share
from .step import Kernels, SampleNeed, Step

SEPARABLE = "separable"
"""A student that is no file."""


class Training(Step, frozen=True, kw_only=True):
    """What every step that trains is told."""

    needs: ClassVar[SampleNeed] = "labelled"
    packages = ("torch",)
    copies = 10.0  # gradients and two moments as well
    resumes = True
    added = (("patience", None), ("flip", False), ("shift", 0.0))

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

    width: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """The student is this model with such a share of the channels of every layer. Give this or `student`."""
    student: str | None = None
    """An ONNX file with this model's inputs and outputs, or `separable`: this model, convolutions made depthwise separable."""
    start: Literal["kept", "drawn"] = "kept"
    """`kept`: a student made of this model begins with what is left of its weights. `drawn`: with new ones."""
    temperature: Annotated[float, Meta(ge=1, le=1000)] = 4.0
    """Of both models' classes while they are compared: the higher, the more wrong classes count among each other."""
    alpha: Share = 0.1
    """Share of the labels in what is learnt; the rest is the teacher's. Without labels all of it is."""
    epochs: Count = 5
    """How often every training sample is gone through, at most."""

    @property
    def files(self) -> tuple[str, ...]:
        return (self.student,) if self.student and self.student != SEPARABLE else ()

    def located(self, folder: Path) -> TrainDistill:
        files = [str(folder / Path(file).expanduser()) for file in self.files]
        return structs.replace(self, student=files[0]) if files else self
