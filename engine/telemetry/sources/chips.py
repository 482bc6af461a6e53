"""Power sensors of a Jetson and its carrier: INA3221 through iio (up to R32) and hwmon (from R34), INA2xx beside them.

Chips are found by name and channels by label: bus, address and hwmon number differ between releases and boots. Of an
INA3221 in hwmon only channels 1 to 3 are rails: 4 to 6 are shunt voltages and `in7` is the sum of those, in uV.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ...system.root_files import Files
from ..channel import MODULE_POWER, Channel, Notes

_IIO_DRIVER, _HWMON = "/sys/bus/i2c/drivers/ina3221x", "/sys/class/hwmon"
_A_MEGAWATT_MW = 1e9
_NO_LIMIT_MA = 32760
"""The register's largest value: nobody set a limit."""
_LEAST_SHUNT_UOHM = 100
"""Less is a slip in a device tree (upstream's of the TX2 NX has 5 for 5000): currents would be 1000 times too large."""
_NOTHING_CONNECTED = re.compile(
    r"n[./ ]?c\.?([ _-]?\d+)?|n/?a|-+|none|nothing|unused|reserved|dnp|not[ _-]?(used|connected|populated)|unconnected", re.I
)


@dataclass(frozen=True)
class Rail:
    """One power channel: `power` in mW, or `volts` in mV and `amps` in mA that are multiplied; neither: it is gone."""

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


class Place(NamedTuple):
    """Where a chip sits on the board; None: cannot be told."""

    controller: str | None = None
    """Address of the I2C controller, the same in every release: `c240000`, or `c240000/0` on channel 0 of a multiplexer."""
    bus: int | None = None
    """Its number, which is not."""
    address: int | None = None

    @property
    def name(self) -> str | None:
        """As the kernel has it: `1-0040`."""
        return None if self.bus is None or self.address is None else f"{self.bus}-{self.address:04x}"


@dataclass(frozen=True)
class Chip:
    """One power sensor with the channels that are in use, by their labels."""

    kind: str
    folder: str
    place: Place
    rails: tuple[Rail, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What its channels are called, in their order."""
        return tuple(rail.name for rail in self.rails)

    @property
    def identity(self) -> str:
        """What stays when numbers of hwmon and of buses change."""
        controller, _, address = self.place
        return f"{controller}-{address}" if controller and address else self.place.name or f"{self.kind} {self.labels}"

    @property
    def short(self) -> str:
        """A name that tells it from another of its kind."""
        return self.place.name or self.folder.rpartition("/")[2]


class _Found(NamedTuple):
    label: str
    channel: int


def find_chips(files: Files, notes: Notes, known: Mapping[str, Chip]) -> list[Chip]:
    """All chips with a channel in use. Those in `known`, by folder, that are as they were keep their channels."""
    chips = []
    for folder, kind in _folders(files):
        found = _channels(files, folder, kind)
        old = known.get(folder)
        if old is not None and old.kind == kind and old.labels == tuple(one.label for one in found):
            chips.append(old)
        elif found:
            rails = tuple(_rail(files, notes, folder, kind, one) for one in found)
            chips.append(Chip(kind, folder, _place(files, folder), rails))
    return chips


def _folders(files: Files) -> Iterator[tuple[str, str]]:
    """(folder, kind of chip), each chip once.

    Folders of the 4.9 driver lie below the driver and, where that is not listed, below the iio bus. The device's own
    folder is taken where the class has a link to it: a link's number can belong to another chip after a driver came anew.
    """
    seen: set[str] = set()
    iio = [f"{chip}/{n}" for chip in files.under(_IIO_DRIVER) for n in files.names(chip) if n.startswith(("iio:", "iio_"))]
    iio += [f for f in files.under("/sys/bus/iio/devices") if files.text(f"{f}/name") == "ina3221x"]
    for folder, kind in [(f, "ina3221x") for f in iio] + [(f, files.text(f"{f}/name") or "") for f in files.under(_HWMON)]:
        real = _real(files, folder)
        if real not in seen and re.fullmatch(r"ina(3221x?|2xx|\d{3})", kind):
            seen.add(real)
            yield real, kind


def _real(files: Files, path: str) -> str:
    """Without links, as a path below the root; as it is where a link leads out of that."""
    root, real = os.path.realpath(files.root or "/").rstrip("/"), os.path.realpath(files.root + path)
    return real[len(root) :] if real.startswith(f"{root}/") else path


def _place(files: Files, folder: str) -> Place:
    """From the paths of the device and of its node in the device tree."""
    paths = [folder, *(_real(files, f"{folder}/{link}") for link in ("device", "of_node", "device/of_node"))]
    told = " ".join(paths) + " " + (files.text(f"{folder}/device/uevent") or "")
    controller = re.search(r"/(?:i2c@([0-9a-f]+)|([0-9a-f]+)\.i2c)/", told)
    device = re.search(r"/(\d+)-00([0-9a-f]{2})(?=[/\s]|$)", told)
    node = re.search(r"/i2c@[0-9a-f]+/[\w,-]+@([0-9a-f]{2})(?=[/\s]|$)", told)
    address = device[2] if device else node[1] if node else None
    return Place(
        "/".join([controller[1] or controller[2], *_channels_between(told.split())]) if controller else None,
        int(device[1]) if device else None,
        int(address, 16) if address else None,
    )


def _channels_between(paths: list[str]) -> list[str]:
    """Channels of multiplexers between the controller and the chip: by the device tree, else by the numbers of their buses."""
    buses = [re.findall(r"/i2c[@-]([0-9a-f]+)(?=/)", path)[1:] for path in paths]
    return next((channels for channels in reversed(buses) if channels), [])


def _channels(files: Files, folder: str, kind: str) -> list[_Found]:
    """Channels in use. Iio counts from 0, hwmon from 1; a channel that is off has no label, or is not enabled."""
    if kind == "ina3221x":
        found = [_Found(_in_use(files.text(f"{folder}/rail_name_{k}")), k) for k in range(3)]
    elif kind == "ina3221":
        on = [k for k in (1, 2, 3) if files.number(f"{folder}/in{k}_enable") != 0]
        if any(files.exists(f"{folder}/in{k}_label") for k in (1, 2, 3)):
            found = [_Found(_in_use(files.text(f"{folder}/in{k}_label")), k) for k in on]
        else:  # a chip that no device tree describes
            found = [_Found(f"{kind} in{k}", k) for k in on if files.exists(f"{folder}/in{k}_input")]
    else:
        told = next(filter(None, (files.text(f"{folder}/{n}") for n in ("in1_label", "label", "power1_label"))), None)
        measures = files.exists(f"{folder}/power1_input") or files.exists(f"{folder}/curr1_input")
        # without a label an INA238 is the carrier's input, VIN
        found = [_Found(_in_use(told or ("VIN" if kind == "ina238" else kind)), 1)] if measures else []
    return [one for one in found if one.label]


def _rail(files: Files, notes: Notes, folder: str, kind: str, found: _Found) -> Rail:
    """Power where the chip tells it (iio in mW, hwmon in uW), else mV times mA."""
    name, k = found

    def channel(file: str, scale: float = 1.0) -> Channel:
        return Channel(files, notes, name, f"{folder}/{file}", scale)

    if kind == "ina3221x":
        warn, critical = f"warn_current_limit_{k}", f"crit_current_limit_{k}"
    else:
        warn, critical = f"curr{k}_max", f"curr{k}_crit"
    limits = tuple(_limit(files.number(f"{folder}/{file}")) for file in (warn, critical))
    shunt = f"{folder}/shunt{k}_resistor" if kind == "ina3221" else f"{folder}/shunt_resistor"
    microohms = files.number(shunt)
    if microohms is not None and microohms < _LEAST_SHUNT_UOHM:
        text = f"{name}: its shunt resistor is set to {microohms:g} uOhm, so no current is known ({shunt})"
        notes.once(shunt, text, about=MODULE_POWER)
        return Rail(name, None)
    alarms = [f"curr{k}_{limit}_alarm" for limit in ("max", "crit")]
    alarms = [alarm for alarm in alarms if kind == "ina3221" and files.exists(f"{folder}/{alarm}")]
    power = channel(f"in_power{k}_input") if kind == "ina3221x" else None
    if power is None and files.exists(f"{folder}/power{k}_input"):
        power = channel(f"power{k}_input", 0.001)
    return Rail(
        name,
        power=power,
        volts=channel(f"in{k}_input") if power is None else None,
        amps=channel(f"curr{k}_input") if power is None else None,
        warn_ma=limits[0],
        critical_ma=limits[1],
        alarms=tuple(channel(alarm) for alarm in alarms),
    )


def _milliwatts(value: float) -> int | None:
    """Whole milliwatts; a megawatt is no reading."""
    return round(value) if abs(value) < _A_MEGAWATT_MW else None


def _in_use(label: str | None) -> str:
    """The label; empty where it says that nothing is connected (`NC`)."""
    return "" if not label or _NOTHING_CONNECTED.fullmatch(label) else label


def _limit(value: float | None) -> float | None:
    return None if value is None or value >= _NO_LIMIT_MA or value <= 0 else value
