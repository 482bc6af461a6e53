"""Alerts on temperature, power, memory, loads, clocks, fan, throttling, silent sensors, with hysteresis, so that none flickers.

One judge for each rule, whoever asks it: the same samples give the same alerts live, as lines, and when they are replayed.
What does not speak is neither above nor below: an alert ends when what raised it says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from .quantities import WATCHED, watched_by
from .sample import Sample

_WORDS = (*WATCHED, "throttling", "silence")
_SLOWING = ("temperature", "power", "ram", "throttling")
if TYPE_CHECKING:
    Watch = str
else:  # the table of quantities says what may be watched; a wrong word is refused as it is read
    Watch = Literal[_WORDS]
_THROTTLED_S = 5.0
"""How long a throttling event that was only counted is taken to last, and an alert after its last reason: a limiter that
works holds the clocks and lets go several times a second."""
_PERIODS = 3.0
"""A source that has left out so many of its usual periods is silent: who asks once a minute waits a minute."""
_REMEMBERED_S = 5.0
"""How long a value that was above, and does not speak, counts towards an alert that has not begun."""
SOURCE = "the whole source"


class AlertRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One alert, as `edgetui.toml` has it in `[[alerts]]`."""

    watch: Watch
    above: Annotated[float, Meta(ge=0)] = 0.0
    """°C, watts, percent, MHz, turns a minute, or seconds of silence; throttling needs no number."""
    below: Annotated[float, Meta(gt=0)] | None = None
    """In place of `above`: the alert begins under it, and ends above it and the hysteresis."""
    where: str = ""
    """A zone or rail by the beginning of its name; empty: the hottest zone, the total, any rail."""
    hysteresis: Annotated[float, Meta(ge=0)] | None = None
    """How far back the value must go before the alert ends; None: a twentieth of the limit, of silence nothing."""
    for_s: Annotated[float, Meta(ge=0)] = 0.0
    """How long it must be so before the alert begins."""
    say: Annotated[str, Meta(max_length=60)] = ""
    """Words of your own for it; empty: the rule itself."""

    def __post_init__(self) -> None:
        """A limit of 0 would be passed by everything."""
        if self.below is not None and self.watch in ("throttling", "silence"):
            raise ValueError(f"an alert on {self.watch} has no `below`")
        if self.below is not None and self.above:
            raise ValueError("an alert has `above` or `below`, not both")
        if self.watch != "throttling" and not self.above and self.below is None:
            raise ValueError(f"an alert on {self.watch} needs `above`{'' if self.watch == 'silence' else ' or `below`'}")

    @property
    def limit(self) -> float:
        """What has to be passed."""
        return self.above if self.below is None else self.below

    def passed(self, value: float, limit: float) -> bool:
        """Whether a value is on the wrong side of a limit."""
        return value > limit if self.below is None else value < limit

    @property
    def slows(self) -> bool:
        """Whether what it tells of may slow the machine down: a busy GPU, or a fan that stands, does not by itself."""
        return self.below is None and self.watch in _SLOWING

    @property
    def ends_at(self) -> float:
        """The value at which the alert ends."""
        usual = 0.0 if self.watch == "silence" else self.limit / 20.0
        back = usual if self.hysteresis is None else self.hysteresis
        return max(self.above - back, 0.0) if self.below is None else self.below + back

    @property
    def text(self) -> str:
        """The rule in words: `temperature gpu above 90 °C`."""
        unit = "s" if self.watch == "silence" else next((q.watch_unit for q in watched_by(self.watch, self.where)), "")
        side = "above" if self.below is None else "below"
        words = [self.watch, self.where, "" if self.watch == "throttling" else f"{side} {self.limit:g} {unit}".rstrip()]
        return " ".join(word for word in words if word)


DEFAULT_RULES = (
    AlertRule(watch="temperature", above=95.0, hysteresis=5.0, for_s=2.0),
    AlertRule(watch="ram", above=95.0, hysteresis=3.0, for_s=5.0),
    AlertRule(watch="throttling"),
    AlertRule(watch="silence", above=10.0),
)


class AlertEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="alert"):
    """An alert begins or ends; a line in a recording."""

    t_s: float
    wall: str = ""
    rule: str
    raised: bool
    value: float | None = None
    """What passed the limit; None: there is no figure to it, as to throttling."""
    limit: float | None = None
    """Which it passed; None: there is no figure, or the event is of before this was kept."""
    detail: str = ""
    """Which zone, rail or reason."""
    say: str = ""
    """The rule's own words."""

    @property
    def text(self) -> str:
        """`alert: temperature above 95 °C (GPU-therm 96.5)`, and `alert over: ...` at its end."""
        return f"alert{'' if self.raised else ' over'}: {self.about}"

    @property
    def about(self) -> str:
        """The rule, and what broke it."""
        figure = f" {_figure(self.value, self.limit)}" if self.value is not None else ""
        said = f"{self.say}: {self.rule}" if self.say else self.rule
        return f"{said} ({self.detail}{figure})" if self.detail else said


def _figure(value: float, limit: float | None) -> str:
    """`96.5`; what is hardly past its limit has as many places as show that it is: `95.04`."""
    said = (f"{value:.{places}f}" for places in range(1, 10))
    return next((text for text in said if float(text) != limit), f"{value:.1f}").removesuffix(".0")


class Alerts:
    """Watches samples by rules. Not for several threads.

    `period_s` is how far apart samples are wanted; None: their own distances tell.
    """

    def __init__(self, rules: tuple[AlertRule, ...] = DEFAULT_RULES, period_s: float | None = None) -> None:
        self._watchers = [_watcher(rule, period_s) for rule in rules]

    @property
    def active(self) -> tuple[AlertEvent, ...]:
        """Alerts that have begun and not ended."""
        return tuple(watcher.event for watcher in self._watchers if watcher.event is not None)

    @property
    def slowing(self) -> tuple[AlertEvent, ...]:
        """Those of them that tell of what may slow the machine down."""
        return tuple(watcher.event for watcher in self._watchers if watcher.event is not None and watcher.rule.slows)

    def update(self, sample: Sample) -> list[AlertEvent]:
        """What begins or ends with this sample, and what began in the silence before it."""
        return [event for watcher in self._watchers for event in watcher.see(sample)]

    def tick(self, now_s: float) -> list[AlertEvent]:
        """What begins because no sample came; `now_s` is on the samples' clock."""
        return [event for watcher in self._watchers for event in watcher.no_sample(now_s)]


class _Watcher(ABC):
    """One rule and whether it is on."""

    measures: ClassVar[bool] = True
    """What it judges is a figure; else an event has none."""

    def __init__(self, rule: AlertRule) -> None:
        self.rule = rule
        self.event: AlertEvent | None = None

    @abstractmethod
    def see(self, sample: Sample) -> list[AlertEvent]:
        """Judge a sample."""

    def no_sample(self, now_s: float) -> list[AlertEvent]:
        """Judge that nothing has come until now: no news for whoever watches a value."""
        del now_s
        return []

    def _turn(self, t_s: float, wall: str, value: float, detail: str) -> AlertEvent:
        """It begins, or ends if it was on."""
        raised = self.event is None
        figure = value if self.measures else None
        rule = self.rule
        limit = rule.limit if raised and self.measures else None
        told = AlertEvent(
            t_s=t_s, wall=wall, rule=rule.text, raised=raised, value=figure, limit=limit, detail=detail, say=rule.say
        )
        self.event = told if raised else None
        return told

    def _meant(self, name: str) -> bool:
        return name.lower().startswith(self.rule.where.lower())


class _LevelWatcher(_Watcher):
    """A value above a limit, or below one."""

    def __init__(self, rule: AlertRule) -> None:
        super().__init__(rule)
        self._over: dict[str, float] = {}
        """What was above when it last spoke, and when that was."""
        self._over_since_s: float | None = None
        self._watched = watched_by(rule.watch, rule.where)

    def see(self, sample: Sample) -> list[AlertEvent]:
        """Judge a sample. What does not speak leaves things as they are, whatever the others say."""
        known = {name: value for name, value in self._values(sample).items() if value is not None}
        if not known:
            return []
        rule, t_s = self.rule, sample.t_s
        limit = rule.limit if self.event is None else rule.ends_at
        keep_s = float("inf") if self.event is not None else max(rule.for_s, _REMEMBERED_S)
        self._over = {n: said_s for n, said_s in self._over.items() if n not in known and t_s - said_s <= keep_s}
        self._over.update({name: t_s for name, value in known.items() if rule.passed(value, limit)})
        worst = max if rule.below is None else min
        value, name = worst((value, name) for name, value in known.items())
        if not self._over:
            self._over_since_s = None
            return [self._turn(t_s, sample.wall, value, self._detail(name, sample))] if self.event is not None else []
        if self._over_since_s is None:
            self._over_since_s = t_s
        if self.event is not None or not rule.passed(value, limit) or t_s - self._over_since_s < rule.for_s:
            return []
        return [self._turn(t_s, sample.wall, value, self._detail(name, sample))]

    def _values(self, sample: Sample) -> dict[str, float | None]:
        """What the rule watches, by name; None: it does not speak."""
        return {
            name: value
            for quantity in self._watched
            for name, value in quantity.watched_values(sample).items()
            if quantity.single or self._meant(name)
        }

    def _detail(self, name: str, sample: Sample) -> str:
        """What an event names: the zone, the rail, the total."""
        del sample
        return name


class _ThrottlingWatcher(_LevelWatcher):
    """A reason that holds the clocks down, or an event that was counted."""

    measures = False

    def __init__(self, rule: AlertRule) -> None:
        super().__init__(rule)
        self._counters: dict[str, float] = {}
        self._counted: tuple[float, str] | None = None
        self._reasoned_s = float("-inf")
        """When a reason for throttling was last there."""

    def _values(self, sample: Sample) -> dict[str, float | None]:
        """1 while a reason is there, and shortly after an event was counted, or a reason has gone that raised the alert."""
        for name, count in sample.counters.items():
            if name.startswith("oc") and count > self._counters.get(name, count):
                self._counted = (sample.t_s, f"{name} event")
            self._counters[name] = count
        if sample.throttled:
            self._reasoned_s = sample.t_s
        lasts = self.event is not None and sample.t_s - self._reasoned_s < _THROTTLED_S
        told: dict[str, float | None] = {
            "reasons": None if sample.throttled is None else float(bool(sample.throttled) or lasts)
        }
        if self._counted is not None:
            told["events"] = float(sample.t_s - self._counted[0] < _THROTTLED_S)
        return told

    def _detail(self, name: str, sample: Sample) -> str:
        del name
        if sample.throttled:
            return ", ".join(sample.throttled)
        held = self._counted is not None and sample.t_s - self._counted[0] < _THROTTLED_S
        return self._counted[1] if held and self._counted is not None else ""


class _SilenceWatcher(_Watcher):
    """A rail, or the whole source, that spoke and speaks no more.

    Zones fall silent by themselves when a block is gated, so only those that the rule names count.
    """

    def __init__(self, rule: AlertRule, period_s: float | None) -> None:
        super().__init__(rule)
        self._period_s = period_s
        self._gaps_s: deque[float] = deque(maxlen=9)
        self._last_s: float | None = None
        self._last_wall = ""
        self._spoke_s: dict[str, float] = {}

    def see(self, sample: Sample) -> list[AlertEvent]:
        """Judge the time since the sample before, then who speaks in this one."""
        t_s, last_s = sample.t_s, self._last_s
        told = self.no_sample(t_s) if self._gaps_s or self._period_s is not None else []
        if last_s is not None and t_s > last_s:
            self._gaps_s.append(t_s - last_s)
        channels: dict[str, float | int | None] = {n: v for n, v in sample.rails_mw.items() if self._meant(n)}
        if self.rule.where:
            channels.update({n: v for n, v in sample.temps_c.items() if self._meant(n)})
        before_s = {SOURCE: t_s if last_s is None else last_s, **self._spoke_s}
        self._last_s, self._last_wall = t_s, sample.wall
        self._spoke_s.update({name: t_s for name, value in channels.items() if value is not None})
        silent_s, name = max(((t_s - spoke_s, name) for name, spoke_s in self._spoke_s.items()), default=(0.0, ""))
        rule = self.rule
        if self.event is None and silent_s > rule.above + rule.for_s:
            told.append(self._turn(t_s, sample.wall, silent_s, name))
        elif self.event is not None and silent_s <= rule.ends_at:
            was_s, name = max((t_s - spoke_s, name) for name, spoke_s in before_s.items())
            told.append(self._turn(t_s, sample.wall, was_s, name))
        return told

    def no_sample(self, now_s: float) -> list[AlertEvent]:
        """Judge the silence since the last sample. What it says does not depend on when it is asked."""
        if self.event is not None or self._last_s is None:
            return []
        import statistics

        period_s = statistics.median(self._gaps_s) if self._gaps_s else self._period_s or 0.0
        limit_s = max(self.rule.above + self.rule.for_s, _PERIODS * period_s)
        if now_s - self._last_s <= limit_s:
            return []
        return [self._turn(self._last_s + limit_s, _later(self._last_wall, limit_s), limit_s, SOURCE)]


def _watcher(rule: AlertRule, period_s: float | None) -> _Watcher:
    match rule.watch:
        case "silence":
            return _SilenceWatcher(rule, period_s)
        case "throttling":
            return _ThrottlingWatcher(rule)
        case _:
            return _LevelWatcher(rule)


def _later(wall: str, by_s: float) -> str:
    """A wall clock so many seconds on; empty where none is known."""
    return (datetime.fromisoformat(wall) + timedelta(seconds=by_s)).isoformat(timespec="milliseconds") if wall else ""
