"""Which source reads the sensors: the one asked for, or the best that works here, with the reasons against the others."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import UsageError, nearest
from ..system.root_files import Files
from .sources.source import Source, SourceRefused

AUTO = "auto"
ORDER = ("jetson", "tegrastats", "jtop", "nvml", "host")
"""What `auto` tries, best first."""


@dataclass
class Choice:
    """The source in use, and why the better ones are not."""

    source: Source
    passed_over: dict[str, str] = field(default_factory=dict)


def check_name(name: str) -> None:
    """Refuse a source that does not exist.

    Raises:
        UsageError: with the nearest known name.
    """
    if name != AUTO and name not in ORDER:
        raise UsageError(f"there is no telemetry source `{name}`", fix=nearest(name, (AUTO, *ORDER)))


def choose(name: str, files: Files, rate_hz: float = 2.0) -> Choice:
    """Open the source `name`, or the best one for `auto`.

    Raises:
        UsageError: there is no such source.
        SourceRefused: it cannot be used here; or none can.
    """
    check_name(name)
    root = files.root
    if root and not files.exists("/."):
        raise SourceRefused(f"EDGETUI_ROOT={root} is not a folder", fix="unset EDGETUI_ROOT, or correct it")
    passed_over: dict[str, str] = {}
    for candidate in ORDER if name == AUTO else (name,):
        try:
            return Choice(_open(candidate, files, rate_hz), passed_over)
        except SourceRefused as why:
            if name != AUTO:
                raise SourceRefused(f"{name}: {why.what}", fix=why.fixes) from why
            passed_over[candidate] = why.what
    reasons = ", ".join(f"{source}: {why}" for source, why in passed_over.items())
    raise SourceRefused(
        f"nothing here tells of sensors ({reasons})",
        fix=f"unset EDGETUI_ROOT, or lay out a system in {root}" if root else "sensors need Linux, with /proc and /sys mounted",
    )


def _open(name: str, files: Files, rate_hz: float) -> Source:
    """Each source's module is imported only when it is tried."""
    match name:
        case "jetson":
            from .sources.jetson import Jetson

            return Jetson(files)
        case "tegrastats":
            from .sources.tegrastats import Tegrastats

            return Tegrastats(files, rate_hz)
        case "jtop":
            from .sources.jtop import Jtop

            return Jtop(files, rate_hz)
        case "nvml":
            from .sources.nvml import Nvml

            return Nvml(files)
        case "host":
            from .sources.host import Host

            return Host(files)
        case _:
            raise UsageError(f"there is no telemetry source `{name}`", fix=nearest(name, (AUTO, *ORDER)))
