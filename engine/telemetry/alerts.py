"""Alerts: temperature, power, memory, throttling and silent sensors, with hysteresis, so that none flickers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .sample import Sample, is_constant, wall_now

Watch = Literal["temperature", "power", "ram", "throttling", "silence"]
_COUNTER_HOLD_S = 5.0
"""How long a throttling event that was only counted is taken to last."""


class AlertRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One alert, as `edgetui.toml` has it in `[[alerts]]`."""

    watch: Watch
    above: Annotated[float, Meta(ge=0)] = 0.0
    """°C, watts, percent of the memory, or seconds of silence; throttling needs no number."""
    where: str = ""
    """A zone or rail by the beginning of its name; empty: the hottest zone, the total, any rail."""
    hysteresis: Annotated[float, Meta(ge=0)] = 0.0
    """How far below `above` the value must fall before the alert ends."""
    for_s: Annotated[float, Meta(ge=0)] = 0.0
    """How long it must be above before the alert begins."""

    def __post_init__(self) -> None:
        """A limit of 0 would be passed by everything."""
        if self.watch != "throttling" and not self.above:
            raise ValueError(f"an alert on {self.watch} needs `above`")

    @property
    def text(self) -> str:
        """The rule in words: `temperature gpu above 90 °C`."""
        unit = {"temperature": " °C", "power": " W", "ram": " %", "silence": " s"}.get(self.watch, "")
        words = [self.watch, self.where, f"above {self.above:g}{unit}" if unit else ""]
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
    detail: str = ""
    """Which zone, rail or reason."""

    @property
    def text(self) -> str:
        """`alert: temperature above 95 °C (GPU-therm 96.5)`, and `alert over: ...` at its end."""
        figure = f" {self.value:.1f}".removesuffix(".0") if self.value is not None and " above " in self.rule else ""
        about = f" ({self.detail}{figure})" if self.detail else ""
        return f"alert{'' if self.raised else ' over'}: {self.rule}{about}"


class Alerts:
    """Watches samples by rules. Not for several threads."""

    def __init__(self, rules: tuple[AlertRule, ...] = DEFAULT_RULES) -> None:
        self._watchers = [_Watcher(rule) for rule in rules]

    @property
    def active(self) -> tuple[AlertEvent, ...]:
        """Alerts that have begun and not ended."""
        return tuple(watcher.event for watcher in self._watchers if watcher.event is not None)

    def update(self, sample: Sample) -> list[AlertEvent]:
        """What begins or ends with this sample."""
        found = (watcher.see(sample) for watcher in self._watchers)
        return [event for event in found if event is not None]

    def tick(self, now_s: float) -> list[AlertEvent]:
        """What begins because no sample came; `now_s` is on the samples' clock."""
        found = (watcher.no_sample(now_s) for watcher in self._watchers)
        return [event for event in found if event is not None]


class _Watcher:
    """One rule and whether it is on."""

    def __init__(self, rule: AlertRule) -> None:
        self.rule = rule
        self.event: AlertEvent | None = None
        self._above_since_s: float | None = None
        self._last_sample_s: float | None = None
        self._spoke_s: dict[str, float] = {}
        self._counters: dict[str, float] = {}
        self._counted: tuple[float, str] | None = None

    def see(self, sample: Sample) -> AlertEvent | None:
        """Judge a sample. A value that is unknown leaves things as they are."""
        self._last_sample_s = sample.t_s
        value, detail = self._value(sample)
        return None if value is None else self._judge(sample.t_s, sample.wall, value, detail)

    def no_sample(self, now_s: float) -> AlertEvent | None:
        """Judge the silence since the last sample."""
        if self.rule.watch != "silence" or self._last_sample_s is None:
            return None
        return self._judge(now_s, wall_now(), now_s - self._last_sample_s, "the whole source")

    def _judge(self, t_s: float, wall: str, value: float, detail: str) -> AlertEvent | None:
        rule = self.rule
        if self.event is not None:
            if value <= rule.above - rule.hysteresis:
                self.event = self._above_since_s = None
                return AlertEvent(t_s=t_s, wall=wall, rule=rule.text, raised=False, value=value, detail=detail)
            return None
        if value <= rule.above:
            self._above_since_s = None
            return None
        if self._above_since_s is None:
            self._above_since_s = t_s
        if t_s - self._above_since_s < rule.for_s:
            return None
        self.event = AlertEvent(t_s=t_s, wall=wall, rule=rule.text, raised=True, value=value, detail=detail)
        return self.event

    def _value(self, sample: Sample) -> tuple[float | None, str]:
        match self.rule.watch:
            case "temperature":
                return self._temperature(sample)
            case "power":
                return self._power(sample)
            case "ram":
                if sample.ram_used_mb is None or not sample.ram_total_mb:
                    return None, ""
                return 100.0 * sample.ram_used_mb / sample.ram_total_mb, "RAM"
            case "throttling":
                return self._throttling(sample)
            case "silence":
                return self._silence(sample)

    def _temperature(self, sample: Sample) -> tuple[float | None, str]:
        zones = [
            (degrees, zone)
            for zone, degrees in sample.temps_c.items()
            if degrees is not None and self._meant(zone) and not is_constant(zone)
        ]
        return max(zones, default=(None, ""))

    def _power(self, sample: Sample) -> tuple[float | None, str]:
        if not self.rule.where:
            return (None, "") if sample.total_mw is None else (sample.total_mw / 1000.0, "total")
        rails = [(mw / 1000.0, rail) for rail, mw in sample.rails_mw.items() if mw is not None and self._meant(rail)]
        return max(rails, default=(None, ""))

    def _throttling(self, sample: Sample) -> tuple[float | None, str]:
        """1 while a reason is there, or shortly after an event was counted."""
        for name, count in sample.counters.items():
            if name.startswith("oc") and count > self._counters.get(name, count):
                self._counted = (sample.t_s, f"{name} event")
            self._counters[name] = count
        if sample.throttled:
            return 1.0, ", ".join(sample.throttled)
        if self._counted is not None and sample.t_s - self._counted[0] < _COUNTER_HOLD_S:
            return 1.0, self._counted[1]
        return (None, "") if sample.throttled is None and self._counted is None else (0.0, "")

    def _silence(self, sample: Sample) -> tuple[float | None, str]:
        """Seconds since a rail spoke that spoke before; zones fall silent by themselves when a block is gated, so only
        those that the rule names count.
        """
        channels: dict[str, float | int | None] = {n: v for n, v in sample.rails_mw.items() if self._meant(n)}
        if self.rule.where:
            channels.update({n: v for n, v in sample.temps_c.items() if self._meant(n)})
        self._spoke_s.update({name: sample.t_s for name, value in channels.items() if value is not None})
        silent = [(sample.t_s - spoke_s, name) for name, spoke_s in self._spoke_s.items()]
        return max(silent, default=(0.0, ""))

    def _meant(self, name: str) -> bool:
        return name.lower().startswith(self.rule.where.lower())
