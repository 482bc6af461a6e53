"""Boards: recognised by the module number, totals by the profile's rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from edgetui.engine.system import boards
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry import board_stamp
from laid_boards import write_device_tree, write_files


@pytest.mark.parametrize(
    ("compatible", "name"),
    [
        ("nvidia,p3449-0000-b00+p3448-0000-b00\0nvidia,jetson-nano\0nvidia,tegra210\0", "Jetson Nano"),
        ("nvidia,p3542-0000+p3448-0003\0nvidia,jetson-nano-2gb\0nvidia,jetson-nano\0nvidia,tegra210\0", "Jetson Nano 2GB"),
        ("nvidia,p2371-2180\0nvidia,tegra210\0", "Jetson TX1"),
        ("nvidia,quill\0nvidia,p2597-0000+p3310-1000\0nvidia,tegra186\0", "Jetson TX2"),
        ("nvidia,p3509-0000+p3636-0001\0nvidia,tegra186\0", "Jetson TX2 NX"),
        ("nvidia,galen\0nvidia,jetson-xavier\0nvidia,p2822-0000+p2888-0001\0nvidia,tegra194\0", "Jetson AGX Xavier"),
        ("nvidia,p3449-0000+p3668-0000\0nvidia,tegra194\0", "Jetson Xavier NX"),
        ("nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0", "Jetson Orin Nano 8GB"),
        ("nvidia,p3768-0000+p3767-0004-super\0nvidia,tegra234\0", "Jetson Orin Nano 4GB"),
        ("nvidia,p3768-0000+p3767-0001\0nvidia,tegra234\0", "Jetson Orin NX 8GB"),
        ("nvidia,p3768-0000+p3767-0000-super\0nvidia,tegra234\0", "Jetson Orin NX 16GB"),
        ("nvidia,p3737-0000+p3701-0004\0nvidia,p3701-0004\0nvidia,tegra234\0", "Jetson AGX Orin 32GB"),
        ("nvidia,p3737-0000+p3701-0005\0nvidia,p3701-0005\0nvidia,tegra234\0", "Jetson AGX Orin 64GB"),
        ("nvidia,p4071-0000+p3834-0008\0nvidia,p3834-0008\0nvidia,tegra264\0", "Jetson AGX Thor"),
        ("nvidia,p3740-0002+p3834-0008\0nvidia,p3834-0008\0nvidia,tegra264\0", "Jetson AGX Thor"),
        ("nvidia,p3971-0050+p3834-0005\0nvidia,p3834-0005\0nvidia,tegra264\0", "Jetson AGX Thor"),
        ("nvidia,p4071-0000+p3834-0000\0nvidia,p3834-0000\0nvidia,tegra264\0", "Jetson Thor T4000"),
        ("nvidia,p3740-0002+p3701-0008\0nvidia,p3701-0008\0nvidia,tegra234\0", "Jetson AGX Orin 64GB"),
        ("nvidia,p3509-0000+p3767-0000\0nvidia,p3767-0000\0nvidia,tegra234\0", "Jetson Orin NX 16GB"),
        ("nvidia,p2972-0000\0nvidia,tegra194\0", "Jetson AGX Xavier"),
        ("nvidia,p2972-0006\0nvidia,tegra194\0", "Jetson AGX Xavier"),
        ("nvidia,galen-industrial\0nvidia,jetson-xavier-industrial\0nvidia,tegra194\0", "Jetson AGX Xavier"),
        ("nvidia,e3900-0000+p2888-0004\0nvidia,tegra194\0", "Jetson AGX Xavier"),
        ("lenovo,thinkedge-se70\0nvidia,p3668-0001\0nvidia,tegra194\0", "Jetson Xavier NX"),
        ("nvidia,p3449-0000+p3668-0003\0nvidia,tegra194\0", "Jetson Xavier NX"),
        ("nvidia,p2771-0000\0nvidia,tegra186\0", "Jetson TX2"),
        ("nvidia,p2771-0888\0nvidia,tegra186\0", "Jetson TX2"),
        ("nvidia,lightning\0nvidia,tegra186\0", "Jetson TX2"),
        ("nvidia,storm\0nvidia,tegra186\0", "Jetson TX2"),
        ("nvidia,p3450-0000\0nvidia,tegra210\0", "Jetson Nano"),
        ("nvidia,p3450-0002\0nvidia,tegra210\0", "Jetson Nano"),
        ("nvidia,jetson-nano\0nvidia,tegra210\0", "Jetson Nano"),
        ("nvidia,p3541-0000\0nvidia,p3450-0000\0nvidia,tegra210\0", "Jetson Nano 2GB"),
        ("nvidia,jetson-cv\0nvidia,tegra210\0", "Jetson TX1"),
        ("nvidia,jetson-tk1\0nvidia,tegra124\0", "Jetson TK1"),
        ("acme,box\0nvidia,p3767\0nvidia,tegra234\0", "Jetson Orin (p3767)"),
        ("nvidia,p3737-0000+p3701-0002\0nvidia,p3701-0002\0nvidia,tegra234\0", "Jetson AGX Orin (p3701-0002)"),
        ("nvidia,p3834-0080\0nvidia,tegra264\0", "Jetson Thor (p3834-0080)"),
    ],
)
def test_known_by_the_compatible_list(tmp_path: Path, compatible: str, name: str) -> None:
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_text(compatible)
    (tree / "model").write_text("whatever this release calls it\0")
    board = boards.detect(Files(str(tmp_path)))
    assert (board.name, board.known, board.jetson) == (name, True, True)
    assert board.model == "whatever this release calls it"


def test_a_module_that_no_profile_knows_is_a_jetson_without_a_total(tmp_path: Path) -> None:
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_text("nvidia,p9999-0000+p9998-0001\0nvidia,tegra999\0")
    board = boards.detect(Files(str(tmp_path)))
    assert (board.known, board.jetson, board.profile.soc, board.profile.total) == (False, True, "tegra999", ())


def test_a_module_of_a_family_has_the_family_s_rule_and_no_memory_of_its_own(tmp_path: Path) -> None:
    write_device_tree(tmp_path, "nvidia,p3768-0000+p3767-0009", "nvidia,tegra234")
    profile = boards.detect(Files(str(tmp_path))).profile
    assert [total.rails for total in profile.total] == [("VDD_IN",)]
    assert (profile.memory_gb, profile.precisions) == (None, ("fp32", "fp16", "int8"))


@pytest.mark.parametrize("module", ["nvidia,p3448-0009", "nvidia,p2597-0000+p9999-0000"])
def test_a_family_whose_rails_differ_and_a_carrier_s_number_tell_nothing(tmp_path: Path, module: str) -> None:
    write_device_tree(tmp_path, module, "nvidia,tegra210" if "p3448" in module else "nvidia,tegra186")
    board = boards.detect(Files(str(tmp_path)))
    assert (board.known, board.jetson, board.hidden, board.profile.total) == (False, True, False, ())


@pytest.mark.parametrize(
    ("files", "soc"),
    [
        ({"/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3\n"}, "tegra"),
        ({"/sys/devices/soc0/family": "Tegra\n", "/sys/devices/soc0/soc_id": "35\n"}, "tegra234"),
        ({"/sys/devices/soc0/family": "Tegra210\n", "/sys/devices/soc0/soc_id": "?\n"}, "tegra210"),
        ({"/sys/class/devfreq/17000000.gv11b/cur_freq": "1\n"}, "tegra194"),
        ({"/sys/class/devfreq/gpu-gpc-0/cur_freq": "1\n"}, "tegra264"),
        ({"/sys/devices/soc0/family": "Freescale i.MX\n", "/sys/devices/soc0/soc_id": "35\n"}, None),
        ({"/sys/class/devfreq/fb000000.gpu/cur_freq": "1\n"}, None),
    ],
)
def test_a_jetson_that_shows_no_device_tree(tmp_path: Path, files: dict[str, str], soc: str | None) -> None:
    write_files(tmp_path, files | {"/sys/devices/soc0/machine": "NVIDIA Jetson Orin Nano\n"})
    board = boards.detect(Files(str(tmp_path)))
    assert (board.profile.soc, board.hidden, board.known) == (soc, soc is not None, soc is None)
    assert board.model == ("NVIDIA Jetson Orin Nano" if soc else "")


def test_the_places_of_sensors_are_written_as_they_are_read() -> None:
    sensors = [sensor for profile in boards.profiles() for sensor in profile.sensors]
    assert sensors
    assert [sensor for sensor in sensors if not re.fullmatch(r"[0-9a-f]+/\d-00[0-9a-f]{2}", sensor)] == []
    for profile in boards.profiles():
        assert all(set(total.rails) <= {*profile.rails, "VIN"} for total in profile.total)


def test_a_computer_without_a_device_tree(tmp_path: Path) -> None:
    board = boards.detect(Files(str(tmp_path)))
    assert (board.jetson, board.name, board.cores, board.memory_mb) == (False, "computer without an NVIDIA GPU", None, None)
    driver = tmp_path / "proc/driver/nvidia/version"
    driver.parent.mkdir(parents=True)
    driver.write_text("NVRM version: ...\n")
    assert boards.detect(Files(str(tmp_path))).name == "computer with an NVIDIA GPU"


def test_no_decimals_of_a_watt_where_the_sensor_has_none() -> None:
    decimals = {profile.name: profile.watt_decimals for profile in boards.profiles()}
    assert decimals["Jetson AGX Orin 64GB"] == 0
    assert decimals["Jetson Orin Nano 8GB"] == 2


def test_every_profile_can_be_read_and_no_two_claim_one_module() -> None:
    claimed = [module for profile in boards.profiles() for module in profile.modules]
    assert len(claimed) == len(set(claimed))
    scopes = {total.scope for profile in boards.profiles() for total in profile.total}
    assert scopes == {"module", "board input"}


@pytest.mark.parametrize(
    ("rails", "total"),
    [
        ({"VIN": 20000, "VDD_GPU": 1, "VDD_CPU_SOC_MSS": 2, "VIN_SYS_5V0": 3}, (20000, "board input")),
        ({"VDD_GPU": -392, "VDD_CPU_SOC_MSS": 2000, "VIN_SYS_5V0": 3000}, (4608, "module")),
        ({"VDD_GPU": None, "VDD_CPU_SOC_MSS": 2000, "VIN_SYS_5V0": 3000}, (None, "module")),
        ({"VDD_CPU_SOC_MSS": 2000}, (None, None)),
    ],
)
def test_the_total_of_a_thor(rails: dict[str, int | None], total: tuple[int | None, str | None]) -> None:
    thor = next(profile for profile in boards.profiles() if profile.name == "Jetson AGX Thor")
    assert boards.total_of(thor.total, rails) == total


@pytest.mark.parametrize(("release", "jetpack"), [("36.4.3", "6.2"), ("36.4.4", "6.2.1"), ("32.7.1", "4.6"), ("99.1", None)])
def test_jetpack_by_release(release: str, jetpack: str | None) -> None:
    assert boards.jetpack(release) == jetpack


def test_the_stamp_of_this_machine_is_complete_enough_to_compare_runs() -> None:
    stamp = board_stamp.stamp()
    assert stamp.name
    assert stamp.cores
    assert stamp.memory_mb is not None
    assert stamp.memory_free_mb is not None
    assert 0 < stamp.memory_free_mb < stamp.memory_mb
    assert stamp.load_1min is not None
    assert stamp.wall
