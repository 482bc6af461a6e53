"""RAPL's counters: what wraps, what begins anew, which zones are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.energy import TOTAL_JOULES, energy_of
from edgetui.engine.telemetry.sample import Sample
from edgetui.engine.telemetry.sources.host import Host
from laid_boards import write_files

SPAN = 262_143_328_850
POWERCAP = "/sys/class/powercap"


class Computer:
    """A computer below a folder, read at the times that are told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        write_files(root, {"/proc/stat": "cpu 1 1 1 1\n"})

    def zone(self, zone: str, name: str, microjoules: int = 0, **more: int) -> None:
        files = {"name": name, "max_energy_range_uj": SPAN, "energy_uj": microjoules} | more
        write_files(self.root, {f"{POWERCAP}/{zone}/{file}": f"{content}\n" for file, content in files.items()})

    def count(self, zone: str, microjoules: int) -> None:
        write_files(self.root, {f"{POWERCAP}/{zone}/energy_uj": f"{microjoules}\n"})


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def readings(computer: Computer, counts: list[int], step_s: float = 0.5) -> list[Sample]:
    computer.count("intel-rapl:0", counts[0])
    source = Host(Files(str(computer.root)))
    samples = [source.read(100.0)]
    for k, count in enumerate(counts[1:], 1):
        computer.count("intel-rapl:0", count)
        samples.append(source.read(100.0 + k * step_s))
    return samples


@pytest.mark.parametrize(
    ("before", "after", "watts"),
    [
        (50_000_000_000, 2_000_000, None),
        (50_000_000_000, 0, None),
        (SPAN - 5_000_000, 2_500_000, 15.0),
        (SPAN - 5_000_000, 45_000_000, 100.0),
        (SPAN - 500_000_000, 2_000_000, None),
        (1_000_000, 60_000_000_000, None),
        (7_000_000, 7_000_000, 0.0),
    ],
    ids=["began anew", "at 0", "wrapped", "wrapped above its limit", "too much for a wrap", "leap", "stands still"],
)
def test_a_step_back_is_a_wrap_only_where_the_package_could_have_drawn_it(
    computer: Computer, before: int, after: int, watts: float | None
) -> None:
    computer.zone("intel-rapl:0", "package-0", constraint_0_max_power_uw=65_000_000, constraint_1_power_limit_uw=0)
    first, second, third = readings(computer, [before, after, after + 7_500_000])
    assert first.rails_mw == {}
    assert second.rails_mw == {"package-0": None if watts is None else round(watts * 1000)}
    assert second.total_mw == second.rails_mw["package-0"]
    assert third.rails_mw == {"package-0": 15000}
    assert third.counters["package-0 J"] == pytest.approx(7.5 + (watts or 0.0) * 0.5)


@pytest.mark.parametrize("jump", [40_000_000_000, 0])
def test_energy_over_a_reset_is_not_the_counter_s(computer: Computer, jump: int) -> None:
    computer.zone("intel-rapl:0", "package-0")
    counts = [50_000_000_000 + k * 1_500_000 - (jump if k >= 20 else 0) for k in range(40)]
    samples = readings(computer, counts, step_s=0.1)
    figure = energy_of(samples, 100.5, 103.5)
    assert figure.method == ("trapezoid" if jump else "counter")
    assert figure.joules == pytest.approx(45.0)
    assert energy_of(samples, 102.2, 103.5).method == "counter"
    joules = [sample.counters[TOTAL_JOULES] for sample in samples if TOTAL_JOULES in sample.counters]
    assert joules == sorted(joules)


def test_parts_and_the_platform_are_shown_and_not_added(computer: Computer) -> None:
    zones = {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "core",
        "intel-rapl:0:1": "dram",
        "intel-rapl:1": "psys",
        "intel-rapl:2": "package-1",
        "intel-rapl:2:0": "core",
        "intel-rapl-mmio:0": "package-0",
    }
    for zone, name in zones.items():
        computer.zone(zone, name)
    source = Host(Files(str(computer.root)))
    source.read(100.0)
    for k, zone in enumerate(zones, 1):
        computer.count(zone, k * 1_000_000)
    sample = source.read(101.0)
    assert sample.rails_mw == {
        "package-0": 1000,
        "core": 2000,
        "dram": 3000,
        "psys": 4000,
        "package-1": 5000,
        "core-1": 6000,
    }
    assert (sample.total_mw, sample.total_scope) == (6000, "package")
    assert sample.counters[TOTAL_JOULES] == 6.0


def test_two_zones_of_one_name_are_two_rails(computer: Computer) -> None:
    for zone in ("intel-rapl:0", "intel-rapl:1"):
        computer.zone(zone, "package-0")
    source = Host(Files(str(computer.root)))
    source.read(100.0)
    computer.count("intel-rapl:0", 1_000_000)
    computer.count("intel-rapl:1", 2_000_000)
    sample = source.read(101.0)
    assert sample.rails_mw == {"package-0": 1000, "package-0 (intel-rapl:1)": 2000}
    assert sample.total_mw == 3000


def test_half_a_computer_has_no_total(computer: Computer) -> None:
    computer.zone("intel-rapl:0", "package-0")
    computer.zone("intel-rapl:1", "package-1")
    counter = computer.root / POWERCAP[1:] / "intel-rapl:1/energy_uj"
    counter.unlink()
    counter.mkdir()
    source = Host(Files(str(computer.root)))
    source.read(100.0)
    computer.count("intel-rapl:0", 15_000_000)
    sample = source.read(101.0)
    assert sample.rails_mw == {"package-0": 15000, "package-1": None}
    assert (sample.total_mw, sample.total_scope) == (None, "package")
    assert TOTAL_JOULES not in sample.counters
    counter.rmdir()
    computer.count("intel-rapl:1", 0)
    source.read(131.0)
    computer.count("intel-rapl:0", 30_000_000)
    computer.count("intel-rapl:1", 5_000_000)
    assert source.read(132.0).total_mw == 20000


def test_the_copy_of_a_package_serves_while_it_is_alone(computer: Computer) -> None:
    computer.zone("intel-rapl-mmio:0", "package-0")
    source = Host(Files(str(computer.root)))
    source.read(100.0)
    computer.count("intel-rapl-mmio:0", 15_000_000)
    assert source.read(101.0).total_mw == 15000
    computer.zone("intel-rapl:0", "package-0")
    source.read(131.0)
    computer.count("intel-rapl-mmio:0", 30_000_000)
    computer.count("intel-rapl:0", 15_000_000)
    sample = source.read(132.0)
    assert (sample.total_mw, sample.rails_mw) == (15000, {"package-0": 15000})


def test_a_driver_that_is_loaded_late_is_found(computer: Computer) -> None:
    source = Host(Files(str(computer.root)))
    assert source.read(100.0).rails_mw == {}
    computer.zone("intel-rapl:0", "package-0")
    source.read(131.0)
    computer.count("intel-rapl:0", 15_000_000)
    assert source.read(132.0).total_mw == 15000
