"""The state of a machine that changes seldom: power mode, whether clocks are locked, governor, fan, busy processes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..schema.stamps import BoardStamp
from ..system.boards import detect
from ..system.cpu import online_cores
from ..system.memory import read_memory
from ..system.patience import patiently
from ..system.power_modes import power_mode
from ..system.processes import busy
from ..system.root_files import Files
from .channel import Notes
from .sample import wall_now
from .sources.emc import Emc
from .sources.thermal import Thermal

_OWN_FANS = frozenset(("pwm_tach", "pwmfan", "pwm_fan", "tachometer"))
_MOST_RPM = 60_000


def stamp(files: Files | None = None) -> BoardStamp:
    """The machine and its state now, for a result. Takes a quarter of a second: busy processes need two looks."""
    return patiently(lambda: _stamp(files or Files()))


def _stamp(files: Files) -> BoardStamp:
    board = detect(files)
    free_mb = read_memory(files).available_mb
    load = (files.text("/proc/loadavg") or "").split()  # psutil's getloadavg asks the kernel, past the root
    return BoardStamp(
        name=board.name,
        os=board.os,
        kernel=board.kernel,
        cpu=board.cpu,
        cores=board.cores,
        memory_mb=board.memory_mb,
        memory_free_mb=None if free_mb is None else round(free_mb, 1),
        power_mode=power_mode(files) if board.jetson else None,
        clocks=clocks(files),
        governor=governor(files),
        emc_mhz=Emc(files, Notes()).read(0.0)[1] if board.jetson else None,
        fan_rpm=fan_rpm(files),
        temps_c=Thermal(files, Notes(), hwmon=not board.jetson).read(0.0),
        load_1min=float(load[0]) if load and re.fullmatch(r"\d+(\.\d+)?", load[0]) else None,
        busy=busy(files, 0.25),
        wall=wall_now(),
    )


def stamp_reasons(found: BoardStamp, files: Files | None = None) -> dict[str, str]:
    """Why a stamp lacks what the board has, by the field's path in a result."""
    if found.emc_mhz is not None or not detect(files or Files()).jetson:
        return {}
    return {"board.emc_mhz": "only root may read the memory's clock on this board"}


def clocks(files: Files) -> str | None:
    """`locked` when every core that is on, and the GPU, may have one clock only; `floating`; None: cannot be told."""
    pairs = []
    for core in online_cores(files):
        folder = f"/sys/devices/system/cpu/cpu{core}/cpufreq"
        pairs.append((files.number(f"{folder}/scaling_min_freq"), files.number(f"{folder}/scaling_max_freq")))
    gpus = [folder for folder in files.under("/sys/class/devfreq") if "gpu" in folder or re.search(r"g[vpab]\d+b$", folder)]
    pairs += [(files.number(f"{folder}/min_freq"), files.number(f"{folder}/max_freq")) for folder in gpus]
    known = [(low, high) for low, high in pairs if low is not None and high is not None]
    if not known:
        return None
    return "locked" if all(low == high for low, high in known) else "floating"


def governor(files: Files) -> str | None:
    """The cores' frequency governor; several are joined with a comma."""
    folder = "/sys/devices/system/cpu"
    found = (files.text(f"{folder}/cpu{core}/cpufreq/scaling_governor") for core in online_cores(files))
    return ",".join(sorted({name for name in found if name})) or None


def fan_rpm(files: Files) -> float | None:
    """Revolutions a minute of the board's fan, else of the first that turns; 0: none turns; None: there is no tachometer.

    A header that nothing is connected to answers 0, whatever turns on the next one.
    """
    own: list[float | None] = []
    others: list[float | None] = []
    for folder in files.under("/sys/class/hwmon"):
        mine = files.text(f"{folder}/name") in _OWN_FANS
        for name in files.names(folder):
            header = re.fullmatch(r"rpm|(fan\d+)_input", name)
            if header and files.number(f"{folder}/{header[1]}_fault") != 1:
                (own if mine else others).append(files.number(f"{folder}/{name}"))
    return turning([*own, files.number("/sys/devices/pwm-fan/rpm_measured"), *others])


def turning(speeds: Iterable[float | None]) -> float | None:
    """The first speed that is not 0; 0: all are; None: there is none that could be true."""
    known = [float(rpm) for rpm in speeds if isinstance(rpm, int | float) and 0 <= rpm < _MOST_RPM]
    return next((rpm for rpm in known if rpm > 0), known[0] if known else None)
