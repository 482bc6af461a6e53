"""Fans: a header that nothing is connected to does not hide the fan that turns."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.board_stamp import fan_rpm
from laid_boards import write_files


@pytest.mark.parametrize(
    ("headers", "rpm"),
    [
        ({"hwmon0/name": "f75308", "hwmon0/fan1_input": 0, "hwmon0/fan2_input": 2400}, 2400),
        ({"hwmon0/name": "f75308", "hwmon0/fan2_input": 2400, "hwmon5/name": "pwm_tach", "hwmon5/rpm": 1786}, 1786),
        ({"hwmon0/name": "f75308", "hwmon0/fan2_input": 2400, "hwmon5/name": "pwm_tach", "hwmon5/rpm": 0}, 2400),
        ({"hwmon1/name": "pwmfan", "hwmon1/fan1_input": 0, "hwmon2/name": "pwm_tach", "hwmon2/rpm": 1650}, 1650),
        ({"hwmon0/name": "nct6775", "hwmon0/fan1_input": 900, "hwmon0/fan1_fault": 1, "hwmon0/fan2_input": 0}, 0),
        ({"hwmon0/name": "nct6775", "hwmon0/fan1_input": 1350000, "hwmon0/fan2_input": -1, "hwmon0/fan10_input": 800}, 800),
        ({"hwmon5/name": "pwm_tach", "hwmon5/rpm": 0}, 0),
        ({"hwmon5/name": "pwmfan", "hwmon5/pwm1": 66}, None),
        ({"hwmon5/name": "pwm_tach", "hwmon5/rpm": "rubbish"}, None),
    ],
)
def test_the_fan_that_turns(tmp_path: Path, headers: dict[str, str | int], rpm: int | None) -> None:
    write_files(tmp_path, {f"/sys/class/hwmon/{path}": f"{content}\n" for path, content in headers.items()})
    assert fan_rpm(Files(str(tmp_path))) == rpm


def test_the_fan_of_the_older_driver(tmp_path: Path) -> None:
    write_files(tmp_path, {"/sys/devices/pwm-fan/rpm_measured": "0\n", "/sys/class/hwmon/hwmon0/name": "f75308\n"})
    assert fan_rpm(Files(str(tmp_path))) == 0
    write_files(tmp_path, {"/sys/class/hwmon/hwmon0/fan1_input": "2000\n"})
    assert fan_rpm(Files(str(tmp_path))) == 2000
