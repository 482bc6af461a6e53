"""Power rails of a Jetson: INA3221 through iio (up to R32) and hwmon (from R34), INA238 on newer carriers.

Chips are found by name and channels by label: bus, address and hwmon number differ between releases and boots. Of an
INA3221 in hwmon only channels 1 to 3 are rails: 4 to 6 are shunt voltages and `in7` is the sum of those, in uV.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ..channel import Channel, Notes
from ..files import Files

_IIO_DRIVER, _HWMON = "/sys/bus/i2c/drivers/ina3221x", "/sys/class/hwmon"
_A_MEGAWATT_MW = 1e9
_NO_LIMIT_MA = 32760
"""The register's largest value: nobody set a limit."""


@dataclass(frozen=True)
class Rail:
    """One power channel: `power` in mW, or `volts` in mV and `amps` in mA that are multiplied."""

    name: str
    power: Channel | None
    volts: Channel | None = None
    amps: Channel | None = None
    warn_ma: float | None = None
    """Current at which the chip warns; None: no limit is set."""
    critical_ma: float | None = None
    alarms: tuple[Channel, ...] = ()
    """1 while the current is over a limit."""

    def read(self, now_s: float) -> int | None:
        """Milliwatts, negative ones too; None: the channel does not answer now."""
        if self.power is not None:
            value = self.power.read(now_s)
            return None if value is None else _milliwatts(value)
        if self.volts is None or self.amps is None:
            return None
        millivolts = self.volts.read(now_s)
        milliamps = None if millivolts is None else self.amps.read(now_s)
        return None if millivolts is None or milliamps is None else _milliwatts(millivolts * milliamps / 1000.0)


def _milliwatts(value: float) -> int | None:
    """Whole milliwatts; a megawatt is no reading."""
    return round(value) if abs(value) < _A_MEGAWATT_MW else None


def find_rails(files: Files, notes: Notes) -> list[Rail]:
    """All rails that are in use, in the order of their chips; a second rail of one name is called `NAME 2`."""
    rails: list[Rail] = []
    for folder in _iio_folders(files):
        rails += _iio_rails(files, notes, folder)
    for folder in files.under(_HWMON):
        chip = files.text(f"{folder}/name") or ""
        if chip == "ina3221":
            rails += _ina3221_rails(files, notes, folder)
        elif re.fullmatch(r"ina2\d\d", chip):
            rails += _ina2xx_rail(files, notes, folder, chip)
    taken: dict[str, int] = {}
    named = []
    for rail in rails:
        taken[rail.name] = k = taken.get(rail.name, 0) + 1
        named.append(rail if k == 1 else Rail(f"{rail.name} {k}", rail.power, rail.volts, rail.amps))
    return named


def _iio_folders(files: Files) -> list[str]:
    """Iio folders of the 4.9 driver, below the driver and, where that is not listed, below the iio bus; each once."""
    folders = [
        f"{chip}/{name}" for chip in files.under(_IIO_DRIVER) for name in files.names(chip) if name.startswith(("iio:", "iio_"))
    ]
    folders += [f for f in files.under("/sys/bus/iio/devices") if files.text(f"{f}/name") == "ina3221x"]
    return list({os.path.realpath(files.root + folder): folder for folder in reversed(folders)}.values())[::-1]


def _iio_rails(files: Files, notes: Notes, folder: str) -> list[Rail]:
    """Channels count from 0; `in_powerK_input` is in mW, made by the kernel from one conversion."""
    rails = []
    for k in range(3):
        name = _in_use(files.text(f"{folder}/rail_name_{k}"))
        if name:
            rails.append(
                Rail(
                    name,
                    power=Channel(files, notes, name, f"{folder}/in_power{k}_input"),
                    warn_ma=_limit(files.number(f"{folder}/warn_current_limit_{k}")),
                    critical_ma=_limit(files.number(f"{folder}/crit_current_limit_{k}")),
                )
            )
    return rails


def _ina3221_rails(files: Files, notes: Notes, folder: str) -> list[Rail]:
    """Channels count from 1; there is no power file: mV times mA."""
    rails = []
    for k in (1, 2, 3):
        name = _in_use(files.text(f"{folder}/in{k}_label"))
        if name and files.number(f"{folder}/in{k}_enable") != 0:
            alarms = [f"{folder}/curr{k}_{limit}_alarm" for limit in ("max", "crit")]
            rails.append(
                Rail(
                    name,
                    power=None,
                    volts=Channel(files, notes, name, f"{folder}/in{k}_input"),
                    amps=Channel(files, notes, name, f"{folder}/curr{k}_input"),
                    warn_ma=_limit(files.number(f"{folder}/curr{k}_max")),
                    critical_ma=_limit(files.number(f"{folder}/curr{k}_crit")),
                    alarms=tuple(Channel(files, notes, name, path) for path in alarms if files.exists(path)),
                )
            )
    return rails


def _ina2xx_rail(files: Files, notes: Notes, folder: str, chip: str) -> list[Rail]:
    """One channel, `power1_input` in uW. Without a label an INA238 is the carrier's input, VIN."""
    label = files.text(f"{folder}/in1_label") or files.text(f"{folder}/label")
    name = _in_use(label or ("VIN" if chip == "ina238" else chip))
    if not name or not files.exists(f"{folder}/power1_input"):
        return []
    return [Rail(name, power=Channel(files, notes, name, f"{folder}/power1_input", 0.001))]


def _in_use(label: str | None) -> str | None:
    """`NC` is a channel that nothing is connected to."""
    return None if not label or label.upper() == "NC" else label


def _limit(value: float | None) -> float | None:
    return None if value is None or value >= _NO_LIMIT_MA or value <= 0 else value
