"""What may be asked of the engine: datasets and runs; workloads are in `workloads.py`.

Values only, frozen, and strict when read: an unknown key is an error that names its nearest neighbour.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ..errors import Fix, UsageError
from .numbers import Count, Number, Positive
from .settings import BackendSettings, Preset
from .step import Step
from .steps import Recipe
from .workloads import FlatOut, Workload


class ImageInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an image file becomes the model's input: (pixel / scale - mean) / std."""

    size: tuple[Count, Count] | None = None
    """[width, height] to resize to; None: the model's own."""
    layout: Literal["NCHW", "NHWC"] | None = None
    """None: what the model's input shape says."""
    color: Literal["RGB", "BGR", "GRAY"] | None = None
    """None: RGB for three channels, GRAY for one."""
    scale: Positive = 255.0
    """What a pixel, 0 to 255, is divided by before mean and std: 255 makes 0 to 1 of it."""
    mean: tuple[Number, ...] = ()
    """One number a channel, or one for all; empty: 0."""
    std: tuple[Positive, ...] = ()
    """One number a channel, or one for all; empty: 1."""
    name: str = ""
    """Which input of the model, e.g. image; empty: its only one."""
    letterbox: bool | None = None
    """The image keeps its shape, in the middle of grey; false: it is stretched. None: as the model's metadata say."""


DatasetKind = Literal["image-folder", "npz", "detection", "keypoints", "segmentation", "text"]
Task = Literal["classification", "detection", "keypoints", "segmentation", "text-classification", "regression", "none"]


class Dataset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Samples for calibration and evaluation. Paths are absolute; in a file they may begin at its folder."""

    kind: DatasetKind
    path: str
    calibration: str = ""
    """Where calibration samples are, e.g. /data/train.zip; empty: a fixed share of `path`, which evaluation then leaves out."""
    task: Task = "classification"
    """`none`: labels are not used even where there are some."""
    input: ImageInput = ImageInput()
    name: str = ""
    classes: tuple[str, ...] = ()
    """Names in the order of the model's outputs; empty: as its metadata, else as the annotations say."""
    decoder: Literal["auto", "yolov5", "yolov8", "yolo-end2end", "ssd", "yolov8-pose", "trt-pose"] = "auto"
    """How outputs of boxes or keypoints are read; `auto`: as their shapes say."""
    tokenizer: str = ""
    """Of texts: the model's `tokenizer.json`, e.g. /data/tokenizer.json; empty: the one beside `path`."""

    @property
    def images(self) -> bool:
        """Whether its samples are image files."""
        return self.kind not in _WITHOUT_IMAGES

    def described(self) -> dict[str, Any]:
        """As builtins, for hashes: what was added later stands in them where somebody has said it, so that older ones stay."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        for table, empty in ((found, _ADDED), (found["input"], _ADDED_TO_INPUT)):
            for key, value in empty.items():
                if table[key] == value:
                    del table[key]
        return found


_WITHOUT_IMAGES: tuple[DatasetKind, ...] = ("npz", "text")
_ADDED: dict[str, object] = {"classes": (), "decoder": "auto", "tokenizer": ""}
_ADDED_TO_INPUT: dict[str, object] = {"letterbox": None}
CAPS_S: dict[Preset, float] = {"quick": 10.0, "normal": 120.0, "precise": 120.0}
"""Longest time the timed loop takes, two variants together; more where the workload takes its time (`Issuing.least_s`)."""
INPUT_CAP_S = 20.0
"""Longest time for one of the samples that are timed one by one."""


class TrainedElsewhere(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stages that another machine has made, up to the last step that trains: their outputs came with the run."""

    board: str
    """The board that trained, by its name in the fleet."""
    keys: dict[str, str]
    """Name of each such stage to the key of its output in the cache."""


class RunSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run: (model, recipe, backend, workload, dataset), carried through all its stages."""

    model: str
    """Absolute path of an ONNX file."""
    recipe: Recipe
    backend: BackendSettings = BackendSettings()
    candidate: BackendSettings | None = None
    """What the candidate is built and run with, where that is not what the baseline is: another number of threads, say, of the
    same backend. None: as `backend` says.
    """
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
    guard: bool = True
    """INT8 is measured beside FP16 where the hardware has that; False: it is not."""
    per_input: Annotated[int, Meta(ge=0, le=256)] = 0
    """How many samples are timed one by one as well, each until its own interval is narrow; 0: none."""
    measure: bool = True
    """False: stop after verify (`edgetui build`)."""
    half: Literal["", "A", "B"] = ""
    """Of the evaluation samples: nothing is measured, and outputs are held against labels on this half alone; empty: on all."""
    only_train: bool = False
    """Stop behind the last step that learns: its output is for another machine (`--train-on`)."""
    trained: TrainedElsewhere | None = None
    """None: what learns does so here."""
    anew: Annotated[int, Meta(ge=0)] = 0
    """Which of several repetitions it is: each but 0 compresses and builds anew, and takes nothing of that from the others."""

    @property
    def steps_here(self) -> tuple[Step, ...]:
        """The steps that this machine does: those that another one has done need nothing here."""
        done = self.recipe.last_learning + 1 if self.trained is not None else 0
        return self.recipe.active[done:]

    @property
    def candidate_backend(self) -> BackendSettings:
        """What the candidate is built and run with."""
        return self.candidate or self.backend

    @property
    def candidate_changes(self) -> dict[str, str]:
        """Settings of the backend that the candidate has and the baseline has not, as people type them."""
        if self.candidate is None:
            return {}
        one, other = (msgspec.to_builtins(each) for each in (self.backend, self.candidate))
        own = [(one, other), (one.get(self.backend.name, {}), other.get(self.backend.name, {}))]
        return {
            name: _typed(after[name])
            for before, after in own
            for name in after
            if not isinstance(after[name], dict) and after[name] != before[name]
        }


def _typed(value: object) -> str:
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Read `NAME=1x3x224x224`: an input's name and the shape it shall have.

    Raises:
        UsageError: there is no name, or something that is no positive whole number.
    """
    name, equals, sizes = text.rpartition("=")
    parts = sizes.lower().split("x")
    if not equals or not name or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(
            f"`{text}` is not a valid shape",
            fix=Fix("write the input's name and its sizes, e.g. {}", "shape", "image=1x3x224x224"),
        )
    return name, tuple(int(part) for part in parts)


class RunRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """run.toml: what was asked, with hashes; written before the start, never changed."""

    run: str
    ticket: int
    """Order of submission; the board serves the lowest that waits."""
    group: str = ""
    """Of the recipes that were given together; empty: this one alone."""
    place: int = 0
    """Among the members of its group."""
    study: str = ""
    """Of which study, and which of its groups: `ID#3`; empty: of none."""
    once: str = ""
    """Key of what was asked, by content: who asks for the same again finds this run; empty: it was not asked for so."""
    guard: str = ""
    """The run whose FP16 plan INT8 is measured beside: its own id, and one is built for it, or a member of its group;
    empty: nothing is."""
    wall: str
    """ISO 8601; the only wall time in the folder."""
    edgetui: str
    python: str
    versions: dict[str, str] = {}
    model_sha256: str
    dataset_hash: str = ""
    calibration_hash: str = ""
    samples_hash: str = ""
    """Of the files that outputs are compared on, whatever is asked of them; empty: there are none, or it was not yet kept."""
    file_hashes: dict[str, str] = {}
    """SHA-256 of what steps read besides, by path."""
    keys: int = 1
    """How keys of stages are made. 1 names every flag of the processor, 2 those instruction sets that shape a graph: a run
    that was begun with the first goes on with it, and finds what it has made."""
    spec: RunSpec
