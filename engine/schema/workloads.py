"""Workloads: how inferences are issued. A new one is a class here and a file in `measure/` that issues it.

Apart from `spec.py`, which says what else may be asked of a run.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, get_args

import msgspec
from msgspec import Meta, Struct

from ..errors import UsageError
from .ready import ready


class Issuing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every workload says of itself; nobody asks which one it is."""

    issuer: ClassVar[str]
    """`module:class` below `engine` that issues it, one object a side: see `measure/issuer.py`."""
    by_backend: ClassVar[bool] = False
    """A backend that executes in processes of its own, and times itself, issues inferences so."""
    needs_images: ClassVar[bool] = False
    """Takes whole frames from image files of the dataset."""
    needs_streams: ClassVar[bool] = False
    """Several threads infer with one plan at once."""
    least_s: ClassVar[float] = 0.0
    """Seconds that each side is given at least where there is no figure sooner, whatever the preset's cap."""
    unit: ClassVar[str] = "inference"
    """What joules are counted by."""
    number: ClassVar[str] = ""
    """The field that is set by what stands behind the colon in `paced:30`; empty: nothing may stand there."""
    number_word: ClassVar[str] = ""
    """What stands for it in usage, e.g. `HZ`."""
    offered: ClassVar[tuple[float, ...]] = ()
    """Numbers that the screen offers; any other can be typed."""

    @property
    def kind(self) -> str:
        """Its name in results, e.g. `flat-out`."""
        return str(self.__struct_config__.tag)

    @property
    def text(self) -> str:
        """For people, e.g. `paced 30 Hz`; without its unit it can be typed."""
        return self.kind

    @property
    def typed(self) -> str:
        """As `--workload` takes it, e.g. `paced:30`."""
        return f"{self.kind}:{getattr(self, self.number):g}" if self.number else self.kind

    @property
    def beat_s(self) -> float | None:
        """Seconds between the beats at which inferences begin; None: one begins when the last has ended."""
        return None


class FlatOut(Issuing, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="flat-out"):
    """One stream, closed loop: the next inference begins when the last has ended."""

    issuer = "measure.issuer:Issuer"
    by_backend = True


class Paced(Issuing, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="paced"):
    """One inference at each beat of a fixed clock, as a camera gives frames."""

    issuer = "measure.paced:PacedIssuer"
    number = "rate_hz"
    number_word = "HZ"
    offered = (10, 15, 30, 60)

    rate_hz: Annotated[float, Meta(ge=0.01, le=1e6)] = 30.0
    """A beat of minutes would outlast every limit of time."""

    @property
    def text(self) -> str:
        """`paced 30 Hz`."""
        return f"{self.kind} {self.rate_hz:g} Hz"

    @property
    def beat_s(self) -> float:
        """Of the clock."""
        return 1 / self.rate_hz


class Streams(Issuing, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="throughput"):
    """Several streams at once, each with the next inference as soon as its last has ended: images a second and latency."""

    issuer = "measure.streams:StreamsIssuer"
    needs_streams = True
    number = "streams"
    number_word = "K"
    offered = (2, 4, 8)

    streams: Annotated[int, Meta(ge=1, le=64)] = 4
    """The most that infer at once."""

    @property
    def text(self) -> str:
        """`throughput 4`."""
        return f"{self.kind} {self.streams}"


class CycleFrames(Issuing, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cycle"):
    """30 whole frames in a cycle of one second, five of them real; 25 skip the model (Zhang et al.)."""

    issuer = "measure.cycle:CycleIssuer"
    needs_images = True
    unit = "frame"
    least_s = 20.0


class FollowPerson(Issuing, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="tracking"):
    """The frames of `cycle`, and a simulated robot that turns to a person and drives there by them (Zhang et al.)."""

    issuer = "measure.tracking:TrackingIssuer"
    needs_images = True
    unit = "frame"
    least_s = 20.0


class Pipeline(Issuing, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pipeline"):
    """Whole frames one after another, from the image file to what the outputs mean, each part timed by itself."""

    issuer = "measure.whole_frames:PipelineIssuer"
    needs_images = True
    unit = "frame"


Workload = FlatOut | Paced | CycleFrames | Streams | Pipeline | FollowPerson
WORKLOADS: dict[str, type[Workload]] = {str(each.__struct_config__.tag): each for each in get_args(Workload)}


def parse_workload(text: str) -> Workload:
    """Read `flat-out`, `paced` (30 a second), `paced:HZ`: a workload's name, and behind a colon its number.

    Raises:
        UsageError: there is no such workload, or its number is none.
    """
    name, colon, number = text.strip().partition(":")
    found = WORKLOADS.get(name)
    if found is None or (colon and not found.number):
        raise _not_valid(text)
    try:
        fields = {found.number: float(number)} if colon else {}
        return msgspec.convert(fields, ready(found), strict=False)
    except (ValueError, msgspec.ValidationError):
        raise _not_valid(text) from None


def _not_valid(text: str) -> UsageError:
    known = (f"{name}:{kind.number_word}" if kind.number else name for name, kind in WORKLOADS.items())
    return UsageError(f"`{text}` is not a valid workload", fix=f"write {', '.join(known)}, e.g. paced:15")


def offered() -> tuple[Workload, ...]:
    """What a screen lets choose from."""
    each = ((name, number) for name, kind in WORKLOADS.items() for number in kind.offered or (None,))
    return tuple(parse_workload(name if number is None else f"{name}:{number:g}") for name, number in each)
