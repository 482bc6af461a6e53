"""Goals as they are typed: an aim, the limits that must be kept, and how much accuracy it may cost."""

from __future__ import annotations

import re

from msgspec import Struct

from ..errors import UsageError, nearest
from .metric import Metric
from .metrics import AIMS, LIMITED

DROP = "drop"
_LEAST_DROP = 0.01
_SAID = "drop<=0.02 (accuracy that may be lost), top1>=0.80, latency_ms<=33, memory_mb<=1024"
_WORD = re.compile(r"([\w-]+)(>=|<=|=)([^<>=]*)")
_NUMBER = re.compile(r"\d+\.?\d*|\.\d+")


class Limit(Struct, frozen=True):
    """The least or the most that a figure may be, whichever is the worse end of its metric."""

    key: str
    """Of LIMITED."""
    value: float
    """In the unit that the key names."""

    @property
    def metric(self) -> Metric:
        """Whose figure it is."""
        return LIMITED[self.key]

    @property
    def figure(self) -> float:
        """The value as the metric's figure is: bytes where the key says MB."""
        return self.value * self.metric.scale

    def keeps(self, value: float) -> bool:
        """Whether a figure keeps it."""
        return value >= self.figure if self.metric.better == "more" else value <= self.figure

    def excess(self, value: float) -> float:
        """How far a figure lies beyond it, as a share of it; 0: it keeps it."""
        return 0.0 if self.keeps(value) else abs(value - self.figure) / max(self.figure, 1e-12)


class Goal(Struct, frozen=True, kw_only=True):
    """What is wanted, and how much accuracy it may cost."""

    aim: str = "fastest"
    """One of AIMS."""
    limits: tuple[Limit, ...] = ()
    """All of which must be kept, by the baseline too."""
    max_drop: float | None = None
    """Accuracy that may be lost (top-1, mAP50-95, mIoU, ...), as a share (0.01 = one point); None: one point where no limit
    says how good outputs must be."""
    min_detections: float = 0.9
    """Where there are no labels and outputs are boxes: mAP50-95 that must be reached with the baseline's as the truth."""
    min_keypoints: float = 0.9
    """The same where they are keypoints: OKS mAP."""
    min_masks: float = 0.9
    """The same where they are masks: mIoU."""
    min_cosine: float = 0.95
    """Where there are no labels: how near the outputs must stay to the baseline's."""
    min_agreement: float = 0.95
    """The same where outputs are classes or other labels: the share that must equal the baseline's."""

    @property
    def drop(self) -> float | None:
        """What may be lost; None: limits say how good outputs must be."""
        said = any(limit.metric.quality for limit in self.limits)
        return self.max_drop if self.max_drop is not None or said else _LEAST_DROP


def parse_goal(text: str, said: str = _SAID) -> Goal:
    """A goal from words: an aim and limits, `least-energy top1>=0.80 memory_mb<=1024`, or `drop<=0.02`; empty: the default.
    `said`: limits to write, for whoever has written none.

    Raises:
        UsageError: there is no such aim or metric, or a limit is none.
    """
    aims: list[str] = []
    drop: float | None = None
    limits: list[Limit] = []
    for word in re.sub(r"\s*([<>]?=)\s*", r"\1", text.replace(",", " ")).split():
        if word in AIMS:
            aims.append(word)
        elif (told := _WORD.fullmatch(word)) is None:
            meant = re.split("[<>=]", word)[0]
            if meant != word:
                raise UsageError(f"`{word}` is not a limit", fix=f"write {said}")
            raise UsageError(f"there is no goal `{word}`", fix=nearest(word, tuple(AIMS)))
        elif told[1] == DROP:
            if drop is not None:
                raise _twice(DROP, drop, float(told[3]) if _NUMBER.fullmatch(told[3]) else drop)
            drop = _number(word, told[3], 1.0, said)
            if told[2] == ">=":
                raise UsageError(f"`{word}` asks for a loss", fix=f"write {DROP}<={told[3]}")
        else:
            limit = _limit(word, told[1], told[2], told[3], said)
            if (before := next((each for each in limits if each.key == limit.key), None)) is not None:
                raise _twice(limit.key, before.value, limit.value)
            limits.append(limit)
    if len(set(aims)) > 1:
        known = " and ".join(dict.fromkeys(aims))
        raise UsageError(
            f"{known} are {len(set(aims))} aims, and one can be least", fix=f"keep {aims[0]}, and limit the other figure"
        )
    return Goal(aim=aims[0] if aims else "fastest", limits=tuple(limits), max_drop=drop)


def _twice(key: str, before: float, again: float) -> UsageError:
    return UsageError(f"{key} is limited twice, to {before:g} and to {again:g}", fix="leave one of them out")


def _limit(word: str, key: str, sign: str, number: str, said: str) -> Limit:
    metric = LIMITED.get(key)
    if metric is None:
        raise UsageError(f"there is no metric `{key}` that a goal may limit", fix=nearest(key, (*LIMITED, DROP)))
    right = ">=" if metric.better == "more" else "<="
    if sign not in ("=", right):
        raise UsageError(f"`{word}` limits {key} on its better side", fix=f"write {key}{right}{number}")
    limit = Limit(key, _number(word, number, metric.most, said))
    if limit.value == 0 and metric.better == "less" and not metric.quality and metric.path != "latency_ms.missed_deadlines":
        raise UsageError(f"`{word}` is kept by nothing: every plan has some {key}", fix="write the most that it may be")
    return limit


def _number(word: str, number: str, most: float | None, said: str) -> float:
    if not _NUMBER.fullmatch(number):
        raise UsageError(f"`{word}` is not a limit", fix=f"write {said}")
    value = float(number)
    if most is not None and value > most:
        share = f"{value / 100:g}" if value <= 100 else "0.80"
        raise UsageError(f"`{word}` is more than {most:g}, which is all of it", fix=f"write {word.replace(number, share)}")
    return value


def goal_help() -> str:
    """What may be typed, for the command's help."""
    *first, last = AIMS
    return f"{', '.join(first)} or {last}; with limits: {_SAID}. Quote it: > and < are the shell's."
