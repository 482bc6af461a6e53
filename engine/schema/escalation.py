"""The rule by which two plans are one: what `adaptive.json` beside them says. Strict when read: it may come from elsewhere."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from ..errors import PlanRefused
from .numbers import Positive, Share
from .ready import ready
from .validation import explain

RULE = "adaptive.json"
"""What the file is called."""


class RunTimeLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What moves the threshold at run time; None: nothing does."""

    deadline_ms: Positive | None = None
    power_w: Positive | None = None
    temperature_c: Positive | None = None

    @property
    def sensed(self) -> bool:
        """Whether a sensor must be asked."""
        return self.power_w is not None or self.temperature_c is not None

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self.sensed or self.deadline_ms is not None


class Sureness(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How sure the first plan is of an input, 0 to 1."""

    by: Literal["margin", "score"] = "margin"
    """`margin`: likeliest class less the second one, of the softmax. `score`: of the best box."""
    shares: bool = False
    """The scores of classes are shares of one already: no softmax is taken."""
    decoder: str = "auto"
    """How boxes are read."""
    classes: int | None = None
    """How many a detector tells apart; None: as its outputs say."""
    size: tuple[int, int] | None = None
    """Width and height of a detector's input."""


class Fitted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the threshold was found on."""

    by: Literal["outputs", "labels"] = "outputs"
    wanted: Share = 1.0
    kept: float | None = None
    """Of the higher precision, on those samples."""
    kept_without: float | None = None
    """The same of the first plan alone."""
    share: float | None = None
    """Of those samples that run again."""
    samples: int = 0


class EscalationRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Run `narrow`; where it is less sure than `threshold`, run `wide` and take its outputs."""

    narrow: str
    """The INT8 plan: a file's name in the folder of the rule."""
    wide: str
    """The plan of higher precision."""
    precision: Literal["float32", "float16"] = "float32"
    """Of `wide`."""
    threshold: Share
    """0: `wide` never runs; 1: it always does."""
    sureness: Sureness = Sureness()
    limits: RunTimeLimits = RunTimeLimits()
    fitted: Fitted | None = None
    """None: the threshold was given."""
    how: str = (
        "Run `narrow`. Sureness is the least over the batch of: likeliest class less the second (softmax of the scores unless "
        "`shares`), or the best box's score. If it is below `threshold`, run `wide` on the same input and take its outputs. "
        "With ONNX Runtime load `wide` with session.force_spinning_stop = 1, or its threads slow `narrow` down."
    )


def decode_rule(data: bytes, name: str) -> EscalationRule:
    """Read a rule.

    Raises:
        PlanRefused: it is none, or names a file outside its folder.
    """
    try:
        raw = msgspec.json.decode(data)
        rule = msgspec.convert(raw, ready(EscalationRule))
    except msgspec.ValidationError as error:
        raise PlanRefused(f"{name} is no rule for two plans ({explain(raw, EscalationRule, error).what})", fix=_AGAIN) from None
    except msgspec.DecodeError as error:
        raise PlanRefused(f"{name} is not valid JSON ({error})", fix=_AGAIN) from None
    for file in (rule.narrow, rule.wide):
        if not file or file in (".", "..") or "/" in file or "\\" in file or "\0" in file:
            raise PlanRefused(f"{name} names a plan outside its folder", fix=_AGAIN)
    return rule


_AGAIN = "build it again with `edgetui build`"
