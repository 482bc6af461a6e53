"""Boards: recognised by the module number, totals by the profile's rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine import boards
from edgetui.engine.telemetry.files import Files


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
    stamp = boards.stamp()
    assert stamp.name
    assert stamp.cores
    assert stamp.memory_mb is not None
    assert stamp.memory_free_mb is not None
    assert 0 < stamp.memory_free_mb < stamp.memory_mb
    assert stamp.load_1min is not None
    assert stamp.wall
