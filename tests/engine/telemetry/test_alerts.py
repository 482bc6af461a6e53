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


def test_throttling_by_reason_and_by_a_counter_that_grew() -> None:
    alerts = Alerts((AlertRule(watch="throttling"),))
    assert alerts.update(Sample(t_s=0.0, throttled=(), counters={"oc3": 12})) == []
    assert alerts.update(Sample(t_s=1.0, throttled=("gpu-throttle-alert",), counters={"oc3": 12}))[0].raised
    assert not alerts.update(Sample(t_s=2.0, throttled=(), counters={"oc3": 12}))[0].raised
    assert alerts.update(Sample(t_s=3.0, throttled=(), counters={"oc3": 13}))[0].detail == "oc3 event"
    assert alerts.update(Sample(t_s=4.0, throttled=(), counters={"oc3": 13})) == []
    assert not alerts.update(Sample(t_s=9.0, throttled=(), counters={"oc3": 13}))[0].raised


def test_a_rail_or_the_source_falls_silent() -> None:
    alerts = Alerts((AlertRule(watch="silence", above=3),))
    for k in range(3):
        assert alerts.update(Sample(t_s=float(k), rails_mw={"VDD_IN": 5000}, temps_c={"gpu": 40.0})) == []
    found = [alerts.update(Sample(t_s=float(k), rails_mw={"VDD_IN": None}, temps_c={"gpu": None})) for k in range(3, 8)]
    assert [(e.t_s, e.detail) for events in found for e in events] == [(6.0, "VDD_IN")]
    assert not alerts.update(Sample(t_s=8.0, rails_mw={"VDD_IN": 5000}))[0].raised
    assert alerts.tick(10.0) == []
    assert alerts.tick(12.0)[0].detail == "the whole source"


def test_the_default_rules_are_quiet_on_a_board_that_says_nothing() -> None:
    alerts = Alerts(DEFAULT_RULES)
    for k in range(100):
        assert alerts.update(Sample(t_s=float(k))) == []


def test_a_rule_of_the_configuration_is_strict() -> None:
    rule = msgspec.convert({"watch": "temperature", "above": 80}, AlertRule)
    assert rule.text == "temperature above 80 °C"
    for wrong in ({"watch": "humidity"}, {"watch": "ram", "over": 3}, {"watch": "ram", "above": -1}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, AlertRule)
