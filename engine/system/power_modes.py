"""Power modes of a Jetson: which there are, which is on, setting one, and whether it has come.

`nvpmodel` says by itself that a mode is set which never came: a mode that switches parts of the chip on or off wants a reboot,
the question whether it may is asked on a terminal that is not there, and `-q` goes on with the old mode, or, from some releases
on, with the new one. So the processor and the GPU are looked at as well.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence

from msgspec import Struct

from ..schema.power_mode import PowerMode
from . import commands
from .cpu import online_cores
from .root_files import Files

CONF, STATUS = "/etc/nvpmodel.conf", "/var/lib/nvpmodel/status"
SET_S, ASK_S = 60.0, 3.0
COME_S = 10.0
"""How long cores may take to come and go once the command has ended."""
_LOOK_S = 0.1
_NEAR = 0.01
"""Share by which a limit may miss the clock that the file names: drivers round in both directions."""


class _Conf(Struct):
    """What /etc/nvpmodel.conf says."""

    paths: dict[tuple[str, str], str] = {}
    """By parameter and argument: the file that holds it."""
    wanted: dict[int, dict[tuple[str, str], str]] = {}
    """By mode: values of those."""
    names: dict[int, str] = {}


def _conf(files: Files) -> _Conf:
    found, section = _Conf(paths={}, wanted={}, names={}), ""
    number, parameter = -1, ""
    for line in (files.text(CONF) or "").splitlines():
        if head := re.match(r"\s*<\s*(\w+)\s+([^>]*)>", line):
            section = head[1]
            said = dict(re.findall(r"(\w+)=(\S+)", head[2]))
            parameter = said.get("NAME", "")
            number = int(said["ID"]) if re.fullmatch(r"\d{1,9}", said.get("ID", "")) else -1
            if section == "POWER_MODEL" and number >= 0 and parameter:
                found.names[number] = parameter
        elif section == "PARAM" and (told := re.match(r"\s*(\w+)\s+(/\S+)", line)):
            # releases differ in whether the argument repeats the parameter: GPU MAX_FREQ and GPU GPU_MAX_FREQ are one
            found.paths[parameter, re.sub(r"^[A-Z]\w*_(?=(MAX|MIN)_FREQ$)", "", told[1])] = told[2]
        elif section == "POWER_MODEL" and (asked := re.match(r"\s*(\w+)\s+(\w+)\s+(-?\w+)\s*$", line)):
            found.wanted.setdefault(number, {})[asked[1], asked[2]] = asked[3]
    return found


def power_modes(files: Files) -> dict[int, str]:
    """Number to name of this module's modes. They differ between modules, so they come from its own file."""
    return _conf(files).names


def known_modes(files: Files) -> tuple[PowerMode, ...]:
    """The same as values, in the order of the file; empty: the board has none."""
    return tuple(PowerMode(number, name) for number, name in power_modes(files).items())


def power_mode(files: Files, timeout_s: float = ASK_S) -> str | None:
    """The mode's name as `nvpmodel -q` says it, else by its number in /var/lib/nvpmodel/status; None: cannot be told.

    Takes as long as the command, which can hang under load: for use outside the sampling loop.
    """
    return mode_of(_asked(timeout_s)) or mode_by_status(files)


def mode_now(files: Files, timeout_s: float = ASK_S) -> PowerMode | None:
    """The same with its number; None: cannot be told."""
    name = power_mode(files, timeout_s)
    return next((mode for mode in known_modes(files) if mode.name == name), None)


def mode_by_status(files: Files) -> str | None:
    """The mode's name by its number in /var/lib/nvpmodel/status; None: there is no such file."""
    number = re.search(r"pmode:(\d{1,9})", files.text(STATUS) or "")
    return power_modes(files).get(int(number[1])) if number else None


def mode_of(output: str) -> str | None:
    """`NV Power Mode: 15W` out of what `nvpmodel -q` printed; old releases print a line about the fan first."""
    found = re.search(r"^NV Power Mode:\s*(\S+)", output, re.MULTILINE)
    return found[1] if found else None


def _asked(timeout_s: float) -> str:
    command = shutil.which("nvpmodel")
    if command:
        with contextlib.suppress(OSError):
            return commands.run([command, "-q"], timeout_s).text
    return ""


def _setting(mode: PowerMode) -> list[str]:
    """The command that sets a mode. `-n`: nobody is there to type a password."""
    command = [shutil.which("nvpmodel") or "/usr/sbin/nvpmodel", "-m", str(mode.id)]
    return command if os.geteuid() == 0 else ["sudo", "-n", *command]


def why_not_set(mode: PowerMode) -> str:
    """Why this user may not set modes, without setting one; empty: may."""
    if shutil.which("nvpmodel") is None:
        return "there is no nvpmodel here"
    if os.geteuid() == 0:
        return ""
    with contextlib.suppress(OSError):
        if commands.run(["sudo", "-n", "-l", *_setting(mode)[2:]], ASK_S).status == 0:
            return ""
    return "only root may set power modes"


def sudoers_line(user: str) -> str:
    """What lets a user set modes and do nothing else."""
    return f"{user} ALL=(root) NOPASSWD: {shutil.which('nvpmodel') or '/usr/sbin/nvpmodel'}"


def set_mode(files: Files, mode: PowerMode, command: Sequence[str] = (), who: str = "nvpmodel") -> str:
    """Set a mode; why it has not come, empty: it has. Never answers whether to reboot: nothing stands on standard input.
    `command`: what sets it in place of nvpmodel, and `who` that is.
    """
    command = command or _setting(mode)
    try:
        said = commands.run(command, SET_S, errors=True)
    except OSError as error:
        return f"{command[0]} cannot be started ({error.strerror})"
    end_s = time.monotonic() + COME_S
    while (why := not_come(files, mode)) and time.monotonic() < end_s and said.status == 0:
        time.sleep(_LOOK_S)
    if not why:
        return ""
    if "reboot" in said.text.lower():
        return f"needs a reboot: not set ({why})"
    if said.status is None:
        return f"{who} did not end within {SET_S:g} s ({why})"
    if said.status:
        last = said.text.strip().splitlines()[-1:] or ["it says nothing"]
        return f"{who} refused it ({last[0][:160]})"
    return f"it did not come: {why}"


def wait_for_others() -> None:
    """Until no other program sets a mode: one that a killed process has started goes on without it."""
    end_s = time.monotonic() + SET_S
    while time.monotonic() < end_s and any(_sets_a_mode(command) for command in _commands()):
        time.sleep(_LOOK_S)


def _commands() -> Iterator[list[str]]:
    """Of all processes, wherever system files are looked up."""
    files = Files("")
    for folder in files.under("/proc"):
        if folder.rpartition("/")[2].isdigit():
            yield (files.text(f"{folder}/cmdline") or "").split("\0")


def _sets_a_mode(command: list[str]) -> bool:
    return "-m" in command and any(word.rpartition("/")[2] == "nvpmodel" for word in command)


def not_come(files: Files, mode: PowerMode) -> str:
    """What says that a mode is not on; empty: nothing does."""
    name = power_mode(files)
    if name != mode.name:
        return f"nvpmodel says {name or 'nothing'}"
    return next(_unlike(files, mode), "")


def _unlike(files: Files, mode: PowerMode) -> Iterator[str]:
    conf = _conf(files)
    wanted, on = conf.wanted.get(mode.id, {}), set(online_cores(files))
    for (parameter, argument), value in wanted.items():
        core = re.fullmatch(r"CORE_(\d{1,4})", argument)
        if parameter == "CPU_ONLINE" and core and on and (int(core[1]) in on) != (value == "1"):
            yield f"core {core[1]} is {'off' if value == '1' else 'on'}"
        elif argument == "MAX_FREQ" and re.match(r"CPU|GPU", parameter):
            yield from _unlike_clock(files, conf, parameter, int(value) if re.fullmatch(r"-?\d{1,12}", value) else -1)


def _unlike_clock(files: Files, conf: _Conf, parameter: str, wanted: int) -> Iterator[str]:
    """Whether the clock of a part is limited as a mode wants it; -1: not at all. What cannot be read says nothing."""
    path = _limit_file(files, conf, parameter)
    limit = files.number(path) if path else None
    if path is None or limit is None:
        return
    folder = path.rpartition("/")[0]
    table = files.text(f"{folder}/available_frequencies") or files.text(f"{folder}/scaling_available_frequencies") or ""
    clocks = sorted(int(each) for each in table.split() if each.isdigit())
    if wanted < 0:
        highest = [*clocks, int(files.number(f"{folder}/cpuinfo_max_freq") or 0), *_limits(conf, parameter)]
        low, high = max(highest, default=0), float("inf")
    else:
        low = max((each for each in clocks if each <= wanted), default=wanted)
        high = min((each for each in clocks if each >= wanted), default=max(clocks, default=wanted))
        low, high = min(low, high), max(low, high)
    if not low * (1 - _NEAR) <= limit <= high * (1 + _NEAR):
        shown = limit / 1e6 if limit > 1e7 else limit / 1e3
        yield f"{parameter} may run at {shown:.0f} MHz"


def _limits(conf: _Conf, parameter: str) -> list[int]:
    """Those that any mode has for a part."""
    said = (values.get((parameter, "MAX_FREQ"), "") for values in conf.wanted.values())
    return [int(each) for each in said if each.isdigit()]


def _limit_file(files: Files, conf: _Conf, parameter: str) -> str | None:
    path = conf.paths.get((parameter, "MAX_FREQ"))
    if path is not None and files.exists(path):
        return path
    if parameter != "GPU":
        return None
    gpus = [f"{folder}/max_freq" for folder in files.under("/sys/class/devfreq") if re.search(r"gpu|g[vpab]\d+b$", folder)]
    return next((each for each in gpus if files.exists(each)), None)


def limits(files: Files) -> tuple[float | None, ...]:
    """Every limit of a clock, to see whether they move."""
    cpus = (f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_max_freq" for core in online_cores(files))
    return tuple(files.number(path) for path in (*cpus, *(f"{each}/max_freq" for each in files.under("/sys/class/devfreq"))))
