"""jtop as a source, in a process of its own: its service must run, and its licence (AGPL-3) and version stay there.

python -m edgetui.engine.telemetry.sources.jtop 2                  prints a telemetry document a line, twice a second
python -m edgetui.engine.telemetry.sources.jtop nvpmodel 1 25W     has the service set a power mode
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from ...system.boards import Board, detect, total_by_rails, total_of, total_rules
from ...system.root_files import Files
from ..board_stamp import turning
from ..channel import Notes
from ..sample import Sample, decode, encode, wall_now
from .lines import KeptLines
from .source import NotedSource, SourceRefused

SOCKET = "/run/jtop.sock"
_FIRST_LINE_S = 5.0
SET_S = 40.0
"""For the service to set a mode: it tries five times, 4 s each, and waits for jetson_clocks before and after."""
_IDLE_LOOKS = 4
"""Updates of the service without the mode and without any work, after which it will not come."""


def why_not(files: Files) -> str:
    """Why jtop's service cannot be asked; empty: nothing is known."""
    if not files.exists(SOCKET):
        return f"jtop's service does not run (no {SOCKET})"
    if importlib.util.find_spec("jtop") is None:
        return "the Python package jetson-stats is not installed for this interpreter"
    return ""


class Jtop(NotedSource):
    """What jtop's service tells.

    Raises:
        SourceRefused: the service does not run, the package is not installed, or both do not fit together.
    """

    name = "jtop"
    pushed = True

    def __init__(self, files: Files, rate_hz: float = 2.0) -> None:
        if why := why_not(files):
            raise SourceRefused(why)
        self._notes = Notes()
        command, interval_s = [sys.executable, "-m", __name__, f"{rate_hz:g}"], 1.0 / rate_hz
        self._child = KeptLines("our client of jtop's service", command, self._notes, terminal=False, interval_s=interval_s)
        first = self._child.first(_FIRST_LINE_S)
        if first is None or not first.startswith("{"):
            self.close()
            raise SourceRefused("jtop's service gives no answer: is the package of the same version as the service?")

    def read(self, now_s: float) -> Sample | None:
        """The newest document since the last call; None: there is none yet."""
        line = self._child.newest()
        with contextlib.suppress(msgspec.DecodeError):
            if line is not None:
                return msgspec.structs.replace(decode(line.encode()), t_s=now_s)
        return None

    def set_rate(self, rate_hz: float) -> None:
        """The first client's interval holds for all clients of the service, so it stays as it was."""

    def close(self) -> None:
        """End our client of the service."""
        self._child.close()


def sample_of(service: Any, board: Board, t_s: float) -> Sample:  # noqa: ANN401  jtop has no types
    """A telemetry document of what a `jtop.jtop` object shows. Its own total and averages are not used:
    the total counts rails twice on AGX Orin, and the average is a running one over two values.
    """
    rails = {
        name: None if rail.get("power") is None else round(rail["power"])
        for name, rail in _table(service.power, "rail").items()
        if "NC" not in name.split()
    }
    rules = total_rules(board)
    total, scope = total_by_rails(rails) if rules is None else total_of(rules, rails)
    gpus = list(service.gpu.values())
    cores = service.cpu.get("cpu", [])
    memory = service.memory
    emc = memory.get("EMC", {})
    return Sample(
        t_s=t_s,
        wall=wall_now(),
        source=Jtop.name,
        rails_mw=rails,
        total_mw=total,
        total_scope=scope,
        gpu_load_pct=_number(_table(gpus[0], "status").get("load")) if gpus else None,
        gpu_freq_mhz=tuple(mhz for gpu in gpus if (mhz := _mhz(_table(gpu, "freq").get("cur"))) is not None),
        cpu_load_pct=tuple(_busy(core) for core in cores),
        cpu_freq_mhz=tuple(_mhz(_table(core, "freq").get("cur")) if core.get("online") else None for core in cores),
        emc_load_pct=_number(emc.get("val")),
        ram_used_mb=_mib(_table(memory, "RAM").get("used")),
        ram_total_mb=_mib(_table(memory, "RAM").get("tot")),
        swap_used_mb=_mib(_table(memory, "SWAP").get("used")),
        swap_total_mb=_mib(_table(memory, "SWAP").get("tot")),
        temps_c={name: _degrees(zone) for name, zone in service.temperature.items()},
        clocks_mhz={} if _mhz(emc.get("cur")) is None else {"EMC": _mhz(emc.get("cur"))},
        fan_rpm=turning([rpm for fan in service.fan.values() for rpm in fan.get("rpm", [])]),
        power_mode=getattr(service.nvpmodel, "name", None),
    )


def _table(owner: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = owner.get(key)
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mhz(kilohertz: object) -> float | None:
    value = _number(kilohertz)
    return None if value is None else round(value / 1000.0, 3)


def _mib(kibibytes: object) -> float | None:
    value = _number(kibibytes)
    return None if value is None else round(value / 1024.0, 1)


def _busy(core: Mapping[str, Any]) -> float | None:
    idle = _number(core.get("idle"))
    return round(100.0 - idle, 1) if core.get("online") and idle is not None else None


def _degrees(zone: Mapping[str, Any]) -> float | None:
    value = _number(zone.get("temp"))
    return value if zone.get("online", True) and value is not None and value > -100.0 else None


def main(rate_hz: float) -> None:
    """Print a document for every update of the service, until our parent has gone."""
    from jtop import jtop

    board = detect()
    with jtop(interval=max(1.0 / rate_hz, 0.2)) as service, contextlib.suppress(BrokenPipeError):
        while service.ok():
            sys.stdout.buffer.write(encode(sample_of(service, board, time.monotonic())) + b"\n")
            sys.stdout.buffer.flush()


def have_set(number: int, name: str) -> str:
    """Have the service set a power mode; why it has not, empty: it says that it has. Never with `force`, which reboots.

    The service refuses modes that want a reboot by a line in its own log alone, so what counts is which mode it tells.
    """
    from jtop import JtopException, jtop

    try:
        with jtop(interval=0.5) as service:
            if not service.ok():
                return "it does not answer"
            known = list(service.nvpmodel.models) if service.nvpmodel is not None else []
            if number >= len(known) or known[number] != name:  # it takes places in its list, which are not numbers everywhere
                return f"it has no mode {number} that is called {name}, but {', '.join(map(str, known)) or 'none'}"
            service.nvpmodel = number
            end_s, idle = time.monotonic() + SET_S, 0
            while service.ok() and time.monotonic() < end_s:
                if service.nvpmodel.is_running():
                    idle = 0
                    continue
                if service.nvpmodel.name == name:
                    return ""
                idle += 1
                if idle > _IDLE_LOOKS:
                    return f"it stays at {service.nvpmodel.name}: a mode that switches parts of the chip wants a reboot"
    except JtopException as error:
        return " ".join(str(error).split())
    except OSError as error:  # who is not in its group may not open the socket
        return f"{SOCKET}: {error.strerror or error}"
    return f"it has not set it within {SET_S:g} s"


if __name__ == "__main__":
    if sys.argv[1] == "nvpmodel":
        sys.exit(have_set(int(sys.argv[2]), sys.argv[3]) or None)
    main(float(sys.argv[1]))
