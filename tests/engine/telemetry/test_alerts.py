"""Alerts begin, hold through hysteresis, and end."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.telemetry.alerts import DEFAULT_RULES, AlertRule, Alerts
from edgetui.engine.telemetry.sample import Sample
from hypothesis import given
from hypothesis import strategies as st


def temperatures(rule: AlertRule, values: list[float | None], zone: str = "gpu-thermal") -> list[tuple[float, bool]]:
    alerts = Alerts((rule,))
    events = [alerts.update(Sample(t_s=float(k), temps_c={zone: value})) for k, value in enumerate(values)]
    return [(event.t_s, event.raised) for found in events for event in found]


def test_it_begins_after_a_while_and_ends_below_the_hysteresis() -> None:
    rule = AlertRule(watch="temperature", above=90, hysteresis=5, for_s=2)
    assert temperatures(rule, [80, 91, 89, 91, 92, 93, 88, 86, 85, 91]) == [(5.0, True), (8.0, False)]


def test_an_unknown_value_changes_nothing() -> None:
    rule = AlertRule(watch="temperature", above=90, hysteresis=5)
    assert temperatures(rule, [95, None, None, 95, None, 80]) == [(0.0, True), (5.0, False)]


def test_a_constant_zone_is_no_temperature() -> None:
    assert temperatures(AlertRule(watch="temperature", above=90), [100, 100], "PMIC-Die") == []


def test_a_zone_is_meant_by_the_beginning_of_its_name() -> None:
    rule = AlertRule(watch="temperature", where="GPU", above=90)
    assert temperatures(rule, [95]) == [(0.0, True)]
    assert temperatures(rule, [95], "cpu-thermal") == []


@given(st.lists(st.floats(85.001, 95.0), max_size=50))
def test_within_the_hysteresis_nothing_flickers(values: list[float]) -> None:
    rule = AlertRule(watch="temperature", above=90, hysteresis=5)
    assert len(temperatures(rule, [*values, 95.0, *values])) == 1


def test_power_of_the_total_and_of_a_rail() -> None:
    alerts = Alerts((AlertRule(watch="power", above=10), AlertRule(watch="power", where="VDD_SOC", above=2)))
    assert alerts.update(Sample(t_s=1.0, total_mw=9000, rails_mw={"VDD_SOC": 1900})) == []
    events = alerts.update(Sample(t_s=2.0, total_mw=11000, rails_mw={"VDD_SOC": 2100}))
    assert [(event.value, event.detail) for event in events] == [(11.0, "total"), (2.1, "VDD_SOC")]
    assert alerts.active == tuple(events)


def test_memory_in_percent() -> None:
    alerts = Alerts((AlertRule(watch="ram", above=90),))
    assert alerts.update(Sample(t_s=1.0, ram_used_mb=90.0, ram_total_mb=100.0)) == []
    assert alerts.update(Sample(t_s=2.0, ram_used_mb=91.0, ram_total_mb=100.0))[0].rule == "ram above 90 %"


def test_a_figure_hardly_past_its_limit_is_told_so_that_it_shows() -> None:
    alerts = Alerts((AlertRule(watch="power", above=12),))
    assert alerts.update(Sample(t_s=1.0, total_mw=12_004.0))[0].about == "power above 12 W (total 12.004)"


def test_throttling_by_reason_and_by_a_counter_that_grew() -> None:
    alerts = Alerts((AlertRule(watch="throttling"),))
    assert alerts.update(Sample(t_s=0.0, throttled=(), counters={"oc3": 12})) == []
    raised = alerts.update(Sample(t_s=1.0, throttled=("gpu-throttle-alert",), counters={"oc3": 12}))[0]
    assert raised.raised
    assert (raised.value, raised.text) == (None, "alert: throttling (gpu-throttle-alert)")  # no figure: it is there or not
    assert not alerts.update(Sample(t_s=6.0, throttled=(), counters={"oc3": 12}))[0].raised
    assert alerts.update(Sample(t_s=7.0, throttled=(), counters={"oc3": 13}))[0].detail == "oc3 event"
    assert alerts.update(Sample(t_s=8.0, throttled=(), counters={"oc3": 13})) == []
    assert not alerts.update(Sample(t_s=13.0, throttled=(), counters={"oc3": 13}))[0].raised


def throttling(rule: AlertRule, reasons: list[tuple[str, ...]]) -> list[tuple[float, bool]]:
    alerts = Alerts((rule,))
    told = [alerts.update(Sample(t_s=float(k), throttled=found)) for k, found in enumerate(reasons)]
    return [(event.t_s, event.raised) for events in told for event in events]


def test_a_limiter_that_holds_and_lets_go_is_one_alert() -> None:
    rule = AlertRule(watch="throttling")
    assert throttling(rule, [("power cap",), ()] * 30 + [()] * 9) == [(0.0, True), (63.0, False)]
    assert throttling(AlertRule(watch="throttling", for_s=2), [("power cap",), ()] * 30) == []


def test_a_rail_or_the_source_falls_silent() -> None:
    alerts = Alerts((AlertRule(watch="silence", above=3),))
    for k in range(3):
        assert alerts.update(Sample(t_s=float(k), rails_mw={"VDD_IN": 5000}, temps_c={"gpu": 40.0})) == []
    found = [alerts.update(Sample(t_s=float(k), rails_mw={"VDD_IN": None}, temps_c={"gpu": None})) for k in range(3, 8)]
    assert [(e.t_s, e.detail) for events in found for e in events] == [(6.0, "VDD_IN")]
    assert not alerts.update(Sample(t_s=8.0, rails_mw={"VDD_IN": 5000}))[0].raised
    assert alerts.tick(10.0) == []
    assert alerts.tick(12.0)[0].detail == "the whole source"


def speaking(t_s: float, milliwatts: int | None, **others: int | None) -> Sample:
    return Sample(t_s=t_s, wall="2026-11-20T10:00:00.000+01:00", rails_mw={"VDD_IN": milliwatts, **others})


def lived(samples: list[Sample], tick_s: float = 0.25) -> list[tuple[float, bool, str]]:
    """Alerts of samples that come in their own time, asked about every `tick_s` in between."""
    alerts, events, now_s = Alerts(DEFAULT_RULES, period_s=1.0), [], samples[0].t_s
    for sample in samples:
        while now_s < sample.t_s:
            events += alerts.tick(now_s)
            now_s += tick_s
        events += alerts.update(sample)
    return [(event.t_s, event.raised, event.detail) for event in events]


def replayed(samples: list[Sample]) -> list[tuple[float, bool, str]]:
    alerts = Alerts(DEFAULT_RULES)
    return [(event.t_s, event.raised, event.detail) for sample in samples for event in alerts.update(sample)]


def test_a_silent_rail_is_one_alert_however_often_it_is_asked_about() -> None:
    samples = [speaking(float(k), 5000 if k < 3 or k > 39 else None, VDD_SOC=1500) for k in range(60)]
    assert lived(samples) == [(13.0, True, "VDD_IN"), (40.0, False, "VDD_IN")]
    assert replayed(samples) == lived(samples)


def test_a_source_that_says_nothing_for_a_while_is_replayed_as_it_was() -> None:
    samples = [speaking(float(k), 5000) for k in [*range(10), *range(40, 50)]]
    assert lived(samples) == lived(samples, tick_s=0.1) == [(19.0, True, "the whole source"), (40.0, False, "the whole source")]
    assert replayed(samples) == lived(samples)


def test_who_is_asked_once_a_minute_is_not_silent_in_between() -> None:
    samples = [speaking(60.0 * k, 5000) for k in range(10)]
    assert replayed(samples) == []
    alerts = Alerts(DEFAULT_RULES, period_s=60.0)
    assert [event for sample in samples for event in (*alerts.update(sample), *alerts.tick(sample.t_s + 59.0))] == []


def test_a_rail_that_speaks_every_other_time_is_not_silent() -> None:
    samples = [speaking(float(k), 5000 if k % 2 else None) for k in range(60)]
    assert lived(samples) == []


@pytest.mark.parametrize("other", [{}, {"cpu-thermal": 50.0}])
def test_a_zone_that_does_not_speak_has_not_cooled_down(other: dict[str, float | None]) -> None:
    alerts = Alerts((AlertRule(watch="temperature", above=95, hysteresis=5, for_s=2),))
    values = [96.0, None, 96.0, None, 96.0, None, None, 97.0, None, 80.0, None]
    samples = [Sample(t_s=float(k), temps_c={"gpu-thermal": value, **other}) for k, value in enumerate(values)]
    events = [event for sample in samples for event in alerts.update(sample)]
    assert [(event.t_s, event.raised) for event in events] == [(2.0, True), (9.0, False)]


def test_a_zone_that_is_gone_has_not_cooled_down() -> None:
    alerts = Alerts((AlertRule(watch="temperature", above=95),))
    zones = [{"gpu": 96.0, "cpu": 50.0}, {"cpu": 50.0}, {"cpu": 51.0}, {"gpu": 60.0, "cpu": 50.0}]
    told = [alerts.update(Sample(t_s=float(k), temps_c=temps)) for k, temps in enumerate(zones)]
    assert [[event.raised for event in events] for events in told] == [[True], [], [], [False]]


def test_reasons_that_cannot_be_told_any_more_have_not_gone() -> None:
    alerts = Alerts((AlertRule(watch="throttling"),))
    alerts.update(Sample(t_s=0.0, throttled=(), counters={"oc3": 12}))
    assert alerts.update(Sample(t_s=1.0, throttled=("power cap",), counters={"oc3": 13}))[0].raised
    assert [alerts.update(Sample(t_s=2.0 + k, throttled=None)) for k in range(20)] == [[]] * 20
    assert not alerts.update(Sample(t_s=30.0, throttled=()))[0].raised


def test_a_value_around_its_limit_does_not_flicker() -> None:
    rule = AlertRule(watch="temperature", above=80)
    assert temperatures(rule, [79.9, 80.1] * 30) == [(1.0, True)]
    assert temperatures(AlertRule(watch="temperature", above=80, hysteresis=0), [79.9, 80.1, 80.0]) == [
        (1.0, True),
        (2.0, False),
    ]


def test_the_default_rules_are_quiet_on_a_board_that_says_nothing() -> None:
    alerts = Alerts(DEFAULT_RULES)
    for k in range(100):
        assert alerts.update(Sample(t_s=float(k))) == []


def test_a_rule_of_the_configuration_is_strict() -> None:
    rule = msgspec.convert({"watch": "temperature", "above": 80}, AlertRule)
    assert rule.text == "temperature above 80 °C"
    for wrong in (
        {"watch": "humidity"},
        {"watch": "ram", "over": 3},
        {"watch": "ram", "above": -1},
        {"watch": "fan"},
        {"watch": "fan", "below": 0},
        {"watch": "fan", "below": 500, "above": 3000},
        {"watch": "throttling", "below": 3},
        {"watch": "silence", "below": 3},
        {"watch": "fan", "below": 500, "say": "x" * 61},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, AlertRule)


def test_below_begins_under_its_limit_and_ends_above_the_hysteresis() -> None:
    rule = AlertRule(watch="temperature", below=5, hysteresis=2, for_s=1)
    assert rule.text == "temperature below 5 °C"
    assert temperatures(rule, [8, 4.9, 4, 6, 6.9, 7.1, 4, 4]) == [(2.0, True), (5.0, False), (7.0, True)]
    assert temperatures(rule, [None, None, None]) == []


@given(st.lists(st.floats(5.0, 6.999), max_size=50))
def test_below_does_not_flicker_either(values: list[float]) -> None:
    assert len(temperatures(AlertRule(watch="temperature", below=5, hysteresis=2), [*values, 4.0, *values])) == 1


def test_of_several_below_the_lowest_is_named_and_all_must_have_come_back() -> None:
    alerts = Alerts((AlertRule(watch="clock", below=500, hysteresis=0),))
    told = alerts.update(Sample(t_s=0.0, clocks_mhz={"EMC": 204.0, "VIC": 400.0, "APE": 900.0}))
    assert [event.about for event in told] == ["clock below 500 MHz (EMC 204)"]
    assert alerts.update(Sample(t_s=1.0, clocks_mhz={"EMC": 2133.0, "VIC": 400.0})) == []
    assert [e.raised for e in alerts.update(Sample(t_s=2.0, clocks_mhz={"EMC": 2133.0, "VIC": 600.0}))] == [False]


def test_a_rule_has_words_of_its_own() -> None:
    alerts = Alerts((AlertRule(watch="fan", below=500, say="the fan stands"),))
    told = alerts.update(Sample(t_s=0.0, fan_rpm=0))
    assert [event.text for event in told] == ["alert: the fan stands: fan below 500 rpm (fan 0)"]
    over = alerts.update(Sample(t_s=1.0, fan_rpm=2000))
    assert [event.text for event in over] == ["alert over: the fan stands: fan below 500 rpm (fan 2000)"]


@pytest.mark.parametrize(
    ("rule", "sample"),
    [
        (AlertRule(watch="gpu_load", above=90), Sample(t_s=0.0, gpu_load_pct=99.0)),
        (AlertRule(watch="cpu_load", above=90), Sample(t_s=0.0, cpu_load_pct=(100.0, 100.0))),
        (AlertRule(watch="fan", below=500), Sample(t_s=0.0, fan_rpm=100)),
        (AlertRule(watch="temperature", below=5), Sample(t_s=0.0, temps_c={"gpu": 1.0})),
    ],
)
def test_what_does_not_slow_the_machine_down_marks_no_measurement(rule: AlertRule, sample: Sample) -> None:
    alerts = Alerts((rule, AlertRule(watch="swap", above=50), AlertRule(watch="temperature", above=90)))
    assert len(alerts.update(sample)) == 1
    assert alerts.slowing == ()
