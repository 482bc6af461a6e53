"""The jetson and host sources on the trees of real boards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry import board_stamp
from edgetui.engine.telemetry.channel import Notes
from edgetui.engine.telemetry.sample import Sample
from edgetui.engine.telemetry.source_choice import choose
from edgetui.engine.telemetry.sources.jetson import Jetson
from edgetui.engine.telemetry.sources.rails import find_rails

JETSONS = ["agx_orin_r35", "agx_thor_r38", "agx_xavier_r32", "nano_r32", "orin_nano_super_r36", "tx2_r32", "xavier_nx_r35"]
LayOut = Callable[..., Any]
Opener = Callable[[], Jetson]


@pytest.fixture
def jetson():
    """Opens the source on whatever is laid out, and closes it."""
    opened: list[Jetson] = []

    def make() -> Jetson:
        opened.append(Jetson(Files()))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def read(source: Any, t_s: float = 100.0) -> Sample:
    sample = source.read(t_s)
    assert sample is not None
    return sample


@pytest.mark.parametrize("name", JETSONS)
def test_rails_total_gpu_and_memory_bandwidth(lay_out: LayOut, jetson: Opener, name: str) -> None:
    expect = lay_out(name).expect
    sample = read(jetson())
    assert sample.rails_mw.keys() == expect["rails_mw"].keys()
    for rail, milliwatts in expect["rails_mw"].items():
        assert sample.rails_mw[rail] == pytest.approx(milliwatts, abs=1)
    assert sample.total_mw == pytest.approx(expect["total_mw"], abs=1)
    assert sample.total_mw not in expect.get("wrong_totals", {}).values()
    assert sample.total_scope == expect["total_scope"].replace("_", " ").partition(" (")[0]
    assert sample.gpu_load_pct == expect["gpu_load_pct"]
    assert sample.gpu_freq_mhz == (pytest.approx(expect["gpu_freq_hz"] / 1e6, abs=0.001),)
    assert sample.emc_load_pct == expect["emc_load_pct"]
    assert [zone for zone, degrees in sample.temps_c.items() if degrees is None] == expect.get("offline_zones", [])
    for zone, degrees in expect.get("temps_c", {}).items():
        assert sample.temps_c[zone] == degrees


@pytest.mark.parametrize("name", JETSONS)
def test_without_root_the_memory_bandwidth_is_unknown_and_the_rest_stays(lay_out: LayOut, jetson: Opener, name: str) -> None:
    board = lay_out(name, as_root=False)
    source = jetson()
    sample = read(source)
    hidden = not any("actmon" in path and "debug" not in path for path in board.document["files"])
    assert (sample.emc_load_pct is None) or not hidden
    assert sample.total_mw == pytest.approx(board.expect["total_mw"], abs=1)
    if sample.emc_load_pct is None:
        assert any("root" in note for note in source.notes())


def test_cores_are_loaded_by_their_ticks(lay_out: LayOut, jetson: Opener) -> None:
    board = lay_out("nano_r32")
    source = jetson()
    assert read(source, 100.0).cpu_load_pct == (None,) * 4
    board.a_second_later()
    assert list(read(source, 101.0).cpu_load_pct) == board.expect["cpu_load_pct_later"]


def test_cores_that_are_off_keep_their_place(lay_out: LayOut, jetson: Opener) -> None:
    board = lay_out("tx2_r32")
    source = jetson()
    read(source, 100.0)
    board.a_second_later()
    sample = read(source, 101.0)
    on = board.expect["cpus_online"]
    assert [k for k, load in enumerate(sample.cpu_load_pct) if load is not None] == on
    assert [k for k, mhz in enumerate(sample.cpu_freq_mhz) if mhz is not None] == on
    assert len(sample.cpu_load_pct) == 6


def test_the_carrier_lies_beside_the_module(lay_out: LayOut, jetson: Opener) -> None:
    expect = lay_out("tx2_r32").expect
    sample = read(jetson())
    assert sample.carrier_mw["VDD_MUX"] == expect["carrier_total_mw"]["VDD_MUX"]


def test_the_power_mode_is_asked_for_in_a_child(lay_out: LayOut, jetson: Opener) -> None:
    expect = lay_out("orin_nano_super_r36").expect
    source = jetson()
    read(source, 100.0)
    source.settle(5.0)
    assert read(source, 100.5).power_mode == expect["power_mode"]


def test_over_current_events_and_fan_of_a_thor(lay_out: LayOut, jetson: Opener) -> None:
    expect = lay_out("agx_thor_r38").expect
    sample = read(jetson())
    assert sample.counters == expect["oc_events"]
    assert sample.fan_rpm == expect["fan_rpm"]
    assert sample.throttled == ()


def test_an_alarm_is_a_reason_to_throttle(lay_out: LayOut, jetson: Opener) -> None:
    board = lay_out("orin_nano_super_r36")
    alarm = next(path for path in board.document["files"] if path.endswith("curr1_crit_alarm"))
    board.write(alarm, "1\n")
    assert read(jetson()).throttled == ("VDD_IN over-current",)


def test_limits_of_the_current_are_known(lay_out: LayOut) -> None:
    expect = lay_out("xavier_nx_r35").expect
    limits = {rail.name: rail.warn_ma for rail in find_rails(Files(), Notes()) if rail.warn_ma}
    assert limits == expect["current_warning_ma"]


def test_a_rail_that_fails_is_unknown_stops_nothing_and_is_said_once(lay_out: LayOut, jetson: Opener) -> None:
    board = lay_out("orin_nano_super_r36")
    path = next(path for path in board.document["files"] if path.endswith("curr2_input"))
    board.path(path).unlink()
    source = jetson()
    for k in range(50):
        sample = read(source, 100.0 + k)
    assert sample.rails_mw["VDD_CPU_GPU_CV"] is None
    assert sample.total_mw == board.expect["total_mw"]
    assert len([note for note in source.notes() if "VDD_CPU_GPU_CV" in note]) == 1
    board.write(path, "1432\n")
    assert read(source, 200.0).rails_mw["VDD_CPU_GPU_CV"] == 7114


def test_a_silent_rail_of_the_sum_leaves_no_total(lay_out: LayOut, jetson: Opener) -> None:
    board = lay_out("agx_orin_r35")
    path = next(path for path in board.document["files"] if path.endswith("1-0040/hwmon/hwmon3/in2_input"))
    board.write(path, "")
    sample = read(jetson())
    assert sample.rails_mw["VDD_CPU_CV"] is None
    assert sample.total_mw is None


def test_negative_power_stays_negative(lay_out: LayOut, jetson: Opener) -> None:
    board = lay_out("agx_thor_r38")
    path = next(path for path in board.document["files"] if path.endswith("2-0040/hwmon/hwmon4/curr1_input"))
    board.write(path, "-20\n")
    assert read(jetson()).rails_mw["VDD_GPU"] == -392


def test_hwmon_numbers_mean_nothing(lay_out: LayOut, jetson: Opener) -> None:
    board = lay_out("orin_nano_super_r36")
    for link in sorted(board.path("/sys/class/hwmon").iterdir()):
        link.rename(link.with_name(f"hwmon{90 - int(link.name[5:])}"))
    assert read(jetson()).total_mw == board.expect["total_mw"]


def test_an_unknown_board_shows_its_rails_without_a_total(lay_out: LayOut, jetson: Opener) -> None:
    board = lay_out("orin_nano_super_r36")
    board.write("/sys/firmware/devicetree/base/compatible", "nvidia,p9999-0001\0nvidia,tegra234\0")
    source = jetson()
    sample = read(source)
    assert sample.rails_mw["VDD_IN"] == board.expect["rails_mw"]["VDD_IN"]
    assert (sample.total_mw, sample.total_scope) == (None, None)
    assert any("no profile" in note for note in source.notes())


def test_a_plain_computer(lay_out: LayOut) -> None:
    board = lay_out("x86_rapl", as_root=False)
    choice = choose("auto", Files())
    sample = read(choice.source)
    assert choice.source.name == "host"
    assert "jetson" in choice.passed_over
    assert sample.temps_c["Package id 0"] == board.expect["temps_c"]["Package id 0"]
    assert sample.rails_mw == {}
    assert sample.total_mw is None
    board.a_second_later()
    assert read(choice.source, 101.0).cpu_load_pct == (25.0,) * 4


@pytest.mark.parametrize("name", ["nano_r32", "agx_thor_r38"])
def test_the_stamp_of_a_board(lay_out: LayOut, name: str) -> None:
    board = lay_out(name)
    stamp = board_stamp.stamp()
    assert stamp.os.startswith(f"Jetson Linux {board.document['l4t'][1:3]}")
    assert stamp.power_mode == board.document["commands"]["nvpmodel -q"].split("NV Power Mode: ")[1].split("\n")[0]
    assert stamp.clocks == "floating"
    assert stamp.governor == "schedutil"


@pytest.mark.parametrize(("name", "mhz"), [("nano_r32", 1600.0), ("orin_nano_super_r36", 2133.0), ("agx_thor_r38", 665.0)])
def test_the_stamp_has_the_memorys_clock(lay_out: LayOut, name: str, mhz: float) -> None:
    lay_out(name)
    stamp = board_stamp.stamp()
    assert stamp.emc_mhz == mhz
    assert board_stamp.stamp_reasons(stamp) == {}


def test_without_root_the_memorys_clock_is_unknown_and_the_stamp_says_why(lay_out: LayOut) -> None:
    lay_out("orin_nano_super_r36", as_root=False)
    stamp = board_stamp.stamp()
    assert stamp.emc_mhz is None
    assert board_stamp.stamp_reasons(stamp) == {"board.emc_mhz": "only root may read the memory's clock on this board"}


def test_a_plain_computer_has_no_clock_of_the_memory_to_explain(lay_out: LayOut) -> None:
    lay_out("x86_rapl")
    assert board_stamp.stamp_reasons(board_stamp.stamp()) == {}


def test_processor_power_is_the_difference_of_a_counter_that_wraps(lay_out: LayOut) -> None:
    board = lay_out("x86_rapl")
    source = choose("host", Files()).source
    assert read(source, 100.0).rails_mw == {}
    board.a_second_later()
    sample = read(source, 100.0 + board.expect["later_seconds"])
    joules = board.expect["package0_later_joules"]
    assert sample.counters["package-0 J"] == pytest.approx(joules, rel=1e-6)
    assert sample.rails_mw == {"package-0": round(joules * 1000), "core": round(board.expect["core_later_joules"] * 1000)}
    assert (sample.total_mw, sample.total_scope) == (round(joules * 1000), "package")


def test_without_root_processor_power_is_unknown_and_the_reason_is_said(lay_out: LayOut) -> None:
    board = lay_out("x86_rapl", as_root=False)
    source = choose("host", Files()).source
    read(source, 100.0)
    board.a_second_later()
    for path in board.document["root_only"]:
        board.path(path).unlink()
    assert read(source, 101.0).total_mw is None
    assert any("processor power" in note for note in source.notes())
