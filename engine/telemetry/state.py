"""The state of a machine that changes seldom: power mode, whether clocks are locked, governor, fan, busy processes."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterable

from .. import commands
from .files import Files
from .sources.machine import cpus

_BUSY_SHARE = 0.1
_OWN_FANS = frozenset(("pwm_tach", "pwmfan", "pwm_fan", "tachometer"))
_MOST_RPM = 60_000
_TICKS_PER_S = 100.0


def power_mode(files: Files, timeout_s: float = 3.0) -> str | None:
    """The mode's name as `nvpmodel -q` says it, else by its number in /var/lib/nvpmodel/status; None: cannot be told.

    Takes as long as the command, which can hang under load: for use outside the sampling loop.
    """
    command = shutil.which("nvpmodel")
    mode = None
    if command:
        with contextlib.suppress(OSError):
            mode = mode_of(commands.run([command, "-q"], timeout_s).text)
    return mode or mode_by_status(files)


def mode_by_status(files: Files) -> str | None:
    """The mode's name by its number in /var/lib/nvpmodel/status; None: there is no such file."""
    number = re.search(r"pmode:(\d{1,9})", files.text("/var/lib/nvpmodel/status") or "")
    return power_modes(files).get(int(number[1])) if number else None


def mode_of(output: str) -> str | None:
    """`NV Power Mode: 15W` out of what `nvpmodel -q` printed; old releases print a line about the fan first."""
    found = re.search(r"^NV Power Mode:\s*(\S+)", output, re.MULTILINE)
    return found[1] if found else None


def power_modes(files: Files) -> dict[int, str]:
    """Number to name of this module's modes. They differ between modules, so they come from its own file."""
    text = files.text("/etc/nvpmodel.conf") or ""
    return {int(n): name for n, name in re.findall(r"<\s*POWER_MODEL\s+ID=(\d{1,9})\s+NAME=(\S+)\s*>", text)}


def clocks(files: Files) -> str | None:
    """`locked` when every core that is on, and the GPU, may have one clock only; `floating`; None: cannot be told."""
    pairs = []
    for core in cpus(files.text("/sys/devices/system/cpu/online")):
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
    found = (files.text(f"{folder}/cpu{core}/cpufreq/scaling_governor") for core in cpus(files.text(f"{folder}/online")))
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


def busy(files: Files, span_s: float) -> tuple[str, ...]:
    """Names of processes that use more than a tenth of a core over `span_s`, busiest first."""
    before = _process_ticks(files)
    time.sleep(span_s)
    shares = [
        ((ticks - before[pid][0]) / _TICKS_PER_S / span_s, name)
        for pid, (ticks, name) in _process_ticks(files).items()
        if pid in before
    ]
    return tuple(name for share, name in sorted(shares, reverse=True) if share > _BUSY_SHARE)


def _process_ticks(files: Files) -> dict[str, tuple[int, str]]:
    """Process number to (ticks used so far, name)."""
    found: dict[str, tuple[int, str]] = {}
    for pid in files.names("/proc"):
        if pid.isdigit():
            head, _, tail = (files.text(f"/proc/{pid}/stat") or "").rpartition(")")
            words = tail.split()
            if len(words) > 12:
                found[pid] = (int(words[11]) + int(words[12]), head.partition("(")[2])
    return found
