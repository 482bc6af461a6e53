"""Rails: which chip is the module's, what the others are called, and chips that come late, move and go."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from edgetui.engine.doctor.sensors import findings
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.channel import Notes
from edgetui.engine.telemetry.sample import Sample
from edgetui.engine.telemetry.sources.jetson import Jetson
from edgetui.engine.telemetry.sources.rails import find_rails
from laid_boards import write_device_tree, write_files, write_ina3221

MODULE = {"VDD_IN": (5000, 3000), "VDD_CPU_GPU_CV": (5000, 1400), "VDD_SOC": (5000, 600)}
CARRIER = {"VDD_IN": (24000, 1500), "VDD_5V": (5000, 800)}
ORIN_NX = ("acme,box+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234")


class Board:
    """A Jetson below a folder, read a second apart."""

    def __init__(self, root: Path) -> None:
        self.root, self.now_s = root, 100.0
        self._source: Jetson | None = None

    @property
    def source(self) -> Jetson:
        self._source = self._source or Jetson(Files(str(self.root)))
        return self._source

    def read(self, after_s: float = 1.0) -> Sample:
        self.now_s += after_s
        return self.source.read(self.now_s)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def unlocated(self, number: int, rails: dict[str, tuple[int, int]]) -> None:
        write_ina3221(self.root, f"/sys/class/hwmon/hwmon{number}", rails)

    def located(self, number: int, device: str, rails: dict[str, tuple[int, int]]) -> None:
        *path, name = device.split("/")  # controller, and the bus of a multiplexer between it and the chip
        folder = f"/sys/devices/platform/bus@0/{path[0]}.i2c" if path and path[0] else "/sys/devices"
        buses = [*path[1:], f"i2c-{name.partition('-')[0]}"]
        write_ina3221(self.root, f"{folder}/{'/'.join(buses)}/{name}/hwmon/hwmon{number}", rails, hwmon=f"hwmon{number}")

    def forget(self, number: int) -> None:
        """Remove a chip that was located."""
        link = self.root / f"sys/class/hwmon/hwmon{number}"
        shutil.rmtree(link.resolve())
        link.unlink()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    write_device_tree(tmp_path, *ORIN_NX)
    made = Board(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("order", list(permutations((0, 1, 2))))
def test_the_chip_with_the_module_s_labels_keeps_their_names(board: Board, order: tuple[int, ...]) -> None:
    board.unlocated(order[0], CARRIER)
    board.unlocated(order[1], MODULE)
    board.unlocated(order[2], {"VDD_IN": (12000, 100), "VDD_SOC": (12000, 10)})
    sample = board.read()
    assert (sample.total_mw, sample.total_scope) == (15000, "module")
    assert list(sample.rails_mw)[:3] == list(MODULE)
    assert sample.rails_mw == {
        "VDD_IN": 15000,
        "VDD_CPU_GPU_CV": 7000,
        "VDD_SOC": 3000,
        f"VDD_IN (hwmon{order[0]})": 36000,
        "VDD_5V": 4000,
        f"VDD_IN (hwmon{order[2]})": 1200,
        f"VDD_SOC (hwmon{order[2]})": 120,
    }


@pytest.mark.parametrize(
    ("module", "carrier"),
    [
        ("c240000/1-0040", "31e0000/7-0040"),
        ("c240000/9-0040", "31e0000/1-0040"),
        ("c240000/1-0040", "c240000/1-0041"),
        ("1-0040", "7-0041"),
        ("/1-0040", "/1-0044"),
        ("c240000/1-0040", "c240000/i2c-1/9-0040"),
        ("c240000/0-0040", "c240000/i2c-0/1-0040"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_chips_with_the_same_labels_are_told_apart_by_their_place(board: Board, module: str, carrier: str, first: bool) -> None:
    board.located(2 if first else 5, module, MODULE)
    board.located(4, carrier, dict.fromkeys(MODULE, (24000, 1000)))
    sample = board.read()
    assert sample.total_mw == 15000
    assert sample.rails_mw[f"VDD_IN ({carrier.rpartition('/')[2]})"] == 24000


def test_the_second_rail_of_a_name_keeps_its_limits_and_alarms(board: Board) -> None:
    board.unlocated(0, MODULE)
    board.unlocated(1, {"VDD_IN": (24000, 1500)})
    limits = {"curr1_max": "2000\n", "curr1_crit": "3000\n", "curr1_max_alarm": "0\n", "curr1_crit_alarm": "1\n"}
    write_files(board.root, {f"/sys/class/hwmon/hwmon1/{name}": text for name, text in limits.items()})
    second = next(rail for rail in find_rails(Files(str(board.root)), Notes()) if rail.name == "VDD_IN (hwmon1)")
    assert (second.warn_ma, second.critical_ma, len(second.alarms)) == (2000, 3000, 2)
    assert board.read().throttled == ("VDD_IN (hwmon1) over-current",)


def test_where_it_cannot_be_told_which_is_the_module_s_there_is_no_total(board: Board) -> None:
    board.unlocated(0, {"VDD_IN": (24000, 1500)})
    board.unlocated(1, {"VDD_IN": (5000, 3000)})
    sample = board.read()
    assert (sample.total_mw, sample.total_scope) == (None, None)
    assert sample.rails_mw == {"VDD_IN (hwmon0)": 36000, "VDD_IN (hwmon1)": 15000}
    assert any("VDD_IN: on 2 chips" in note for note in board.source.notes())


def test_a_carrier_s_rail_alone_is_not_the_module_s(board: Board) -> None:
    board.located(0, "31e0000/7-0045", CARRIER)
    write_files(
        board.root,
        {
            "/sys/class/hwmon/hwmon2/name": "ina226\n",
            "/sys/class/hwmon/hwmon2/in1_label": "VDD_SOC\n",
            "/sys/class/hwmon/hwmon2/in1_input": "5000\n",
            "/sys/class/hwmon/hwmon2/curr1_input": "100\n",
        },
    )
    sample = board.read()
    assert sample.total_mw is None
    assert sample.rails_mw == {"VDD_IN (7-0045)": 36000, "VDD_5V": 4000, "VDD_SOC (hwmon2)": 500}


def test_one_name_twice_on_one_chip(board: Board) -> None:
    board.unlocated(0, MODULE)
    board.unlocated(1, {"VDD_12V": (12000, 100), "VDD_12V#2": (12000, 200)})
    assert board.read().rails_mw == {
        "VDD_IN": 15000,
        "VDD_CPU_GPU_CV": 7000,
        "VDD_SOC": 3000,
        "VDD_12V": 1200,
        "VDD_12V 2": 2400,
    }


@pytest.mark.parametrize("label", ["NC", "nc", "N/C", "NC_2", "unused", "Not Connected", "-", "reserved"])
def test_a_channel_that_nothing_is_connected_to_is_no_rail(board: Board, label: str) -> None:
    board.unlocated(0, {**MODULE} | {"VDD_SOC": (5000, 600)})
    board.unlocated(1, {label: (0, 0), "NCV_3V3": (3300, 100)})
    assert set(board.read().rails_mw) == {*MODULE, "NCV_3V3"}


def test_channels_of_a_chip_that_no_device_tree_describes_have_its_names(board: Board) -> None:
    board.unlocated(1, MODULE)
    write_files(board.root, {f"/sys/class/hwmon/hwmon0/in{k}_input": "12000\n" for k in (1, 2, 7)})
    write_files(board.root, {f"/sys/class/hwmon/hwmon0/curr{k}_input": f"{k}00\n" for k in (1, 2)})
    write_files(board.root, {"/sys/class/hwmon/hwmon0/name": "ina3221\n", "/sys/class/hwmon/hwmon0/in2_enable": "0\n"})
    sample = board.read()
    assert sample.rails_mw == {"VDD_IN": 15000, "VDD_CPU_GPU_CV": 7000, "VDD_SOC": 3000, "ina3221 in1": 1200}
    assert sample.total_mw == 15000


@pytest.mark.parametrize("kind", ["ina219", "ina226", "ina238", "ina260", "ina2xx"])
def test_chips_of_one_channel(board: Board, kind: str) -> None:
    board.unlocated(1, MODULE)
    hwmon = "/sys/class/hwmon/hwmon0"
    write_files(board.root, {f"{hwmon}/name": f"{kind}\n", f"{hwmon}/in0_input": "9\n", f"{hwmon}/in1_input": "19000\n"})
    write_files(board.root, {f"{hwmon}/curr1_input": "1000\n"})
    name = "VIN" if kind == "ina238" else kind
    assert board.read().rails_mw[name] == 19000
    board.close()
    write_files(board.root, {f"{hwmon}/power1_input": "23180000\n"})
    again = Board(board.root)
    sample = again.read()
    assert (sample.rails_mw[name], sample.total_mw) == (23180, 15000)
    again.close()


def test_power_that_the_chip_tells_is_taken_and_a_shunt_of_0_makes_a_rail_unknown(board: Board) -> None:
    board.unlocated(0, MODULE)
    write_files(
        board.root, {"/sys/class/hwmon/hwmon0/power1_input": "15123000\n", "/sys/class/hwmon/hwmon0/shunt3_resistor": "0\n"}
    )
    sample = board.read()
    assert sample.rails_mw == {"VDD_IN": 15123, "VDD_CPU_GPU_CV": 7000, "VDD_SOC": None}
    assert any("shunt" in note for note in board.source.notes())


def test_a_shunt_that_cannot_be_makes_no_power(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board.unlocated(0, {label: (millivolts, milliamps * 1000) for label, (millivolts, milliamps) in MODULE.items()})
    write_files(board.root, {f"/sys/class/hwmon/hwmon0/shunt{k}_resistor": "5\n" for k in (1, 2, 3)})
    assert (board.read().total_mw, board.read().rails_mw) == (None, dict.fromkeys(MODULE))
    assert "VDD_IN: its shunt resistor is set to 5 uOhm" in doctor_s_power(board, monkeypatch)[0]
    write_files(board.root, {f"/sys/class/hwmon/hwmon0/shunt{k}_resistor": "5000\n" for k in (1, 2, 3)})
    write_files(board.root, {f"/sys/class/hwmon/hwmon0/curr{k}_input": "3000\n" for k in (1, 2, 3)})
    for _ in range(3):
        sample = board.read()
    assert sample.total_mw == 15000


def doctor_s_power(board: Board, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("EDGETUI_ROOT", str(board.root))
    write_files(board.root, {"/proc/stat": "cpu 1 1 1 1\n"})
    return next((finding.text, finding.mend) for finding in findings() if finding.name == "power")


def test_a_carrier_s_chip_that_comes_first_makes_no_total(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board.unlocated(0, CARRIER)
    sample = board.read()
    assert (sample.total_mw, sample.rails_mw) == (None, {"VDD_IN (hwmon0)": 36000, "VDD_5V": 4000})
    assert doctor_s_power(board, monkeypatch)[0].endswith("no total (the module's own VDD_IN cannot be seen)")
    board.unlocated(1, MODULE)
    for _ in range(12):
        sample = board.read()
    assert sample.total_mw == 15000
    assert sample.rails_mw["VDD_IN (hwmon0)"] == 36000


def test_where_the_module_s_sensor_is_not_seen_the_doctor_does_not_say_that_there_is_none(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, mend = doctor_s_power(board, monkeypatch)
    assert text.startswith("the module's power sensor (VDD_IN, VDD_CPU_GPU_CV, VDD_SOC) cannot be seen")
    assert mend == "sudo modprobe ina3221"
    write_device_tree(tmp_path, "nvidia,p3542-0000+p3448-0003", "nvidia,tegra210")
    assert doctor_s_power(board, monkeypatch)[0].startswith("this machine has no power sensor")
    write_device_tree(tmp_path)
    write_files(tmp_path, {"/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3\n"})
    assert doctor_s_power(board, monkeypatch)[0].startswith("no power sensor can be seen here, as in a container")


def test_rails_that_come_late_are_found(board: Board) -> None:
    assert board.read().rails_mw == {}
    assert any("no power sensor" in note for note in board.source.notes())
    board.unlocated(4, MODULE)
    for _ in range(3):
        sample = board.read()
    assert sample.total_mw == 15000
    assert not any("no power sensor" in note for note in board.source.notes())


@pytest.mark.parametrize("located", [True, False])
def test_a_chip_with_a_new_number_is_found_again(board: Board, located: bool) -> None:
    lay = (lambda n: board.located(n, "c240000/1-0040", MODULE)) if located else (lambda n: board.unlocated(n, MODULE))
    lay(4)
    assert board.read().total_mw == 15000
    (board.root / "sys/class/hwmon/hwmon4").unlink() if located else None
    shutil.rmtree(board.root / "sys/devices" if located else board.root / "sys/class/hwmon/hwmon4")
    assert board.read().rails_mw == dict.fromkeys(MODULE)
    lay(7)
    for _ in range(12):
        sample = board.read()
    assert sample.rails_mw == {"VDD_IN": 15000, "VDD_CPU_GPU_CV": 7000, "VDD_SOC": 3000}
    assert not any("no longer there" in note for note in board.source.notes())


def test_a_bus_with_a_new_number_is_the_same_where_no_controller_is_seen(board: Board) -> None:
    board.located(4, "/1-0040", MODULE)
    board.located(3, "/1-0041", {"VDD_A": (1000, 1), "VDD_B": (1000, 2)})
    assert board.read().total_mw == 15000
    board.forget(4)
    assert board.read().total_mw is None
    board.located(2, "/6-0040", MODULE)
    for _ in range(3):
        sample = board.read()
    assert sample.rails_mw == {"VDD_IN": 15000, "VDD_CPU_GPU_CV": 7000, "VDD_SOC": 3000, "VDD_A": 1, "VDD_B": 2}


def test_chips_of_one_address_on_both_sides_of_a_multiplexer_are_two(board: Board) -> None:
    def lay(first: int, second: int) -> None:
        board.located(first, "c240000/i2c-1/9-0040", {"VDD_12V": (12000, 100), "VDD_3V3": (3000, 100)})
        board.located(second, "c240000/1-0040", MODULE)

    lay(0, 1)
    before = board.read().rails_mw
    board.forget(0)
    board.forget(1)
    assert set(board.read().rails_mw.values()) == {None}
    lay(5, 4)
    for _ in range(3):
        sample = board.read()
    assert sample.rails_mw == before
    assert sample.total_mw == 15000


def test_what_is_gone_is_unknown_and_a_carrier_s_rail_does_not_take_its_name(board: Board) -> None:
    board.unlocated(0, CARRIER)
    board.unlocated(1, MODULE)
    assert board.read().total_mw == 15000
    shutil.rmtree(board.root / "sys/class/hwmon/hwmon1")
    for _ in range(30):
        sample = board.read()
    assert (sample.total_mw, sample.total_scope) == (None, "module")
    assert sample.rails_mw == {
        "VDD_IN (hwmon0)": 36000,
        "VDD_5V": 4000,
        "VDD_IN": None,
        "VDD_CPU_GPU_CV": None,
        "VDD_SOC": None,
    }
    assert any("VDD_IN: no longer there" in note for note in board.source.notes())
    board.unlocated(1, MODULE)
    for _ in range(3):
        sample = board.read()
    assert sample.total_mw == 15000


def test_a_number_that_another_chip_has_taken_gives_no_value(board: Board) -> None:
    board.located(4, "c240000/1-0040", MODULE)
    assert board.read().total_mw == 15000
    (board.root / "sys/class/hwmon/hwmon4").unlink()
    shutil.rmtree(board.root / "sys/devices")
    board.located(4, "31e0000/7-0041", {"VDD_X": (1000, 1), "VDD_Y": (1000, 2), "VDD_Z": (1000, 3)})
    assert board.read(0.1).rails_mw["VDD_IN"] is None
    for _ in range(3):
        sample = board.read()
    assert sample.rails_mw == {"VDD_X": 1, "VDD_Y": 2, "VDD_Z": 3, "VDD_IN": None, "VDD_CPU_GPU_CV": None, "VDD_SOC": None}


def test_a_channel_that_is_switched_off_is_unknown_and_the_others_stay(board: Board) -> None:
    board.unlocated(0, MODULE)
    board.read()
    write_files(board.root, {"/sys/class/hwmon/hwmon0/in3_enable": "0\n"})
    for _ in range(12):
        sample = board.read()
    assert sample.rails_mw == {"VDD_IN": 15000, "VDD_CPU_GPU_CV": 7000, "VDD_SOC": None}


def test_the_carrier_of_a_tx2_with_upstream_s_names(tmp_path: Path) -> None:
    write_device_tree(tmp_path, "nvidia,p2771-0000", "nvidia,tegra186")
    board = Board(tmp_path)
    board.unlocated(0, {"VDD_MUX": (19000, 300), "VDD_5V0_IO_SYS": (5000, 100), "VDD_3V3_SYS": (3300, 100)})
    board.unlocated(1, {"VDD_3V3_IO_SLP": (3300, 10), "VDD_1V8_IO": (1800, 10), "VDD_M2_IN": (3300, 10)})
    board.unlocated(2, {"VDD_IN": (19000, 170), "VDD_SYS_CPU": (19000, 20), "VDD_5V0_DDR": (19000, 30)})
    sample = board.read()
    assert (sample.total_mw, sample.rails_mw) == (3230, {"VDD_IN": 3230, "VDD_SYS_CPU": 380, "VDD_5V0_DDR": 570})
    assert set(sample.carrier_mw) == {"VDD_MUX", "VDD_5V0_IO_SYS", "VDD_3V3_SYS", "VDD_3V3_IO_SLP", "VDD_1V8_IO", "VDD_M2_IN"}
    board.close()


@pytest.mark.parametrize(
    ("rails", "total"),
    [
        (MODULE, 15000),
        ({"VDD_GPU_SOC": (20000, 100), "VDD_CPU_CV": (20000, 50), "VIN_SYS_5V0": (5000, 600)}, 6000),
        ({"VDD_GPU": (19000, 0), "VDD_CPU_SOC_MSS": (19000, 300), "VIN_SYS_5V0": (5000, 1000)}, 10700),
        ({"SOMETHING": (5000, 100)}, None),
    ],
)
def test_in_a_container_the_total_follows_from_the_rails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rails: dict[str, tuple[int, int]], total: int | None
) -> None:
    write_files(tmp_path, {"/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1\n", "/proc/stat": "cpu 1 1 1 1\n"})
    board = Board(tmp_path)
    board.unlocated(0, {"VDD_IN": (24000, 1500), "VIN": (24000, 1500)} if rails is MODULE else {"VDD_5V": (5000, 10)})
    board.unlocated(1, rails)
    assert board.read().total_mw == total
    board.close()
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    write_files(
        tmp_path, {"/sys/class/devfreq/17000000.gpu/min_freq": "1\n", "/sys/class/devfreq/17000000.gpu/max_freq": "2\n"}
    )
    found = {finding.name: finding for finding in findings()}
    assert "container" in found["board profile"].text
    assert found["board profile"].mend == ""
    assert found["clocks"].mend == "outside the container: sudo jetson_clocks"
