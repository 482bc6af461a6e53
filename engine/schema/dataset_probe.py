"""What is found in a dataset when it is probed, beside a model or alone, and the description that is proposed."""

from __future__ import annotations

from msgspec import Struct

from ..errors import Refusal
from .spec import Dataset, ImageInput


class ClassCounted(Struct, frozen=True, kw_only=True):
    """One class."""

    name: str
    """As a folder or an annotation calls it; its number where nobody names it."""
    count: int
    """Samples that are of it, or boxes, or keypointed figures."""


class ImagesSeen(Struct, frozen=True, kw_only=True):
    """Image files that were looked into, spread evenly over all of them."""

    looked: int
    """How many."""
    widths: tuple[int, int]
    """Pixels: of the narrowest and of the widest."""
    heights: tuple[int, int]
    sizes: int
    """How many different ones there are; 1: all are alike."""
    colors: dict[str, int]
    """How many are `RGB`, `grey`, `RGB with alpha`, ..."""


class SampleShown(Struct, frozen=True, kw_only=True):
    """One sample, to look at."""

    name: str
    label: str = ""
    """Its class; empty: it has none."""
    facts: str = ""
    """Size and colour of an image, shape and range of an array, the text itself."""
    broken: str = ""
    """Why it cannot be read; empty: it can."""
    picture: bytes = b""
    """Of an image: red, green and blue of each pixel of a small picture, row by row; empty where none was asked for."""
    picture_width: int = 0


class InputTried(Struct, frozen=True, kw_only=True):
    """The model's accuracy with samples that are fed in one way."""

    name: str
    """The way in a few words: `RGB ImageNet`."""
    input: ImageInput | None = None
    """None: samples are fed as they are, and there is no other way."""
    n: int
    """Samples."""
    top1: float
    top1_low: float
    """95 % interval."""
    top1_high: float
    p: float | None = None
    """McNemar's mid-p of the difference to the best way over the same samples; None: it is the best itself."""


class ModelSide(Struct, frozen=True, kw_only=True):
    """What a model takes and tells, as far as data have to fit it."""

    path: str
    input: str = ""
    """The input that samples become, in words; empty: several, or none that fits."""
    classes: int | None = None
    """How many it tells apart; None: its file does not say."""


class DatasetProbe(Struct, frozen=True, kw_only=True):
    """What is found in a dataset."""

    dataset: Dataset
    """What would be written: as found, and with the best way to feed the model where one is shown to be."""
    samples: int
    """To evaluate with, broken ones included."""
    calibration_samples: int | None = None
    """None: a share of the others."""
    labelled: bool = False
    """It is known what is right of them."""
    classes: tuple[ClassCounted, ...] = ()
    """In the order of their numbers."""
    counted: str = ""
    """What classes are counted in: samples, boxes, poses; empty: nothing is counted."""
    images: ImagesSeen | None = None
    """None: they are no images."""
    broken: int = 0
    """Of those that were looked into or tried."""
    shown: tuple[SampleShown, ...] = ()
    model: ModelSide | None = None
    """None: no model was named."""
    tried: tuple[InputTried, ...] = ()
    """The best first."""
    confirmed: InputTried | None = None
    """The best over samples that did not choose it; None: there are none left, or nothing was to be chosen."""
    chance: float | None = None
    """Top-1 of guessing classes as often as the model says them; None: nothing was tried."""
    above_chance: bool = False
    """The best is shown to be better than that."""
    untried: str = ""
    """Why nothing was tried; empty: something was, or no model was named."""
    notes: tuple[str, ...] = ()
    """What has to be known of the data."""
    refusals: tuple[Refusal, ...] = ()
    """What does not fit the model; while there is any, a run would be refused."""
