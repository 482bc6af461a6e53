"""One time-stamped reading of a machine's sensors, and what a sampler says about itself.

The JSON of a `Sample` is the telemetry document that `monitor --json` prints, the ring carries and a recording holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ..schema.ready import LateDecoder


class Sample(Struct, frozen=True, kw_only=True):
    """What a source read in one sweep. None, and an entry that is missing: the source does not say; never 0 for that."""

    t_s: float
    """Monotonic seconds; the same clock as `time.monotonic()` in every process of this machine."""
    wall: str = ""
    """ISO 8601 with zone. For people: boards without a clock battery jump by years when NTP arrives."""
    time: Literal["assumed"] | UnsetType = UNSET
    """Only where `t_s` is assumed: of a log whose lines tell no time."""
    source: str = ""
    rails_mw: dict[str, int | None] = {}
    """Power of each rail by the name that the board prints; can be negative."""
    carrier_mw: dict[str, int | None] = {}
    """Rails of the carrier board, beside the module's: no part of its total."""
    total_mw: int | None = None
    """By the board's rule in its profile; None: no rule, or a rail of the rule is silent."""
    total_scope: str | None = None
    """`module` or `board input`; for a plain computer `package` (RAPL) or `gpu` (NVML)."""
    gpu_load_pct: float | None = None
    gpu_freq_mhz: tuple[float, ...] = ()
    """One clock, or one for each graphics cluster; 0: powered off; empty: the source does not say."""
    cpu_load_pct: tuple[float | None, ...] = ()
    """By core number; None: the core is off, or was only seen once so far."""
    cpu_freq_mhz: tuple[float | None, ...] = ()
    emc_load_pct: float | None = None
    """Share of the memory's bandwidth."""
    engine_load_pct: dict[str, float | None] = {}
    """By engine: `NVENC`, `NVDEC`, `NVJPG`, `VIC`, `OFA`...; missing: the source tells no load of it, or it is off."""
    ram_used_mb: float | None = None
    """Memory in units of 2^20 bytes, as tegrastats prints it."""
    ram_total_mb: float | None = None
    gpu_ram_used_mb: float | None = None
    """Of cards with memory of their own, all together; on a Jetson the GPU shares the RAM, and this stays None."""
    gpu_ram_total_mb: float | None = None
    swap_used_mb: float | None = None
    swap_total_mb: float | None = None
    temps_c: dict[str, float | None] = {}
    """By the zone's own name; None: the sensor is off."""
    clocks_mhz: dict[str, float | None] = {}
    """Clocks of memory (`EMC`) and engines."""
    fan_rpm: float | None = None
    """Of the board's fan, else of the first that turns; 0: there are fans, and none turns."""
    power_mode: str | None = None
    silent: dict[str, str] = {}
    """Why a rail or zone that is there cannot be read, in words; one that is only switched off has no entry."""
    counters: dict[str, float] = {}
    """What only ever grows: over-current events (`oc1`...), joules of a rail that has its own meter (`package-0 J`)."""
    throttled: tuple[str, ...] | None = None
    """Reasons that hold the clocks down now; empty: none; None: cannot be told."""

    @property
    def empty(self) -> bool:
        """No figure at all: what a line of another program makes of a log."""
        return all(getattr(self, field) in _NOTHING for field in _FIGURES)

    @property
    def cpu_mean_pct(self) -> float | None:
        """Mean load of the cores that are on; None: no core speaks."""
        loads = [load for load in self.cpu_load_pct if load is not None]
        return sum(loads) / len(loads) if loads else None

    @property
    def hottest(self) -> tuple[str, float] | None:
        """(zone, °C) of the warmest zone; constants of a driver (PMIC) are no temperatures. None: no zone speaks."""
        zones = [(degrees, zone) for zone, degrees in self.temps_c.items() if degrees is not None and not is_constant(zone)]
        return max(zones)[::-1] if zones else None


_ABOUT = ("t_s", "wall", "time", "source", "total_scope", "power_mode", "silent", "throttled")
_FIGURES = tuple(field for field in Sample.__struct_fields__ if field not in _ABOUT)
_NOTHING: tuple[object, ...] = (None, (), {})


def is_constant(zone: str) -> bool:
    """The PMIC's zone answers 50 or 100 °C, whatever it is like there."""
    return zone.lower().startswith("pmic")


class Stats(Struct, frozen=True, kw_only=True):
    """What a sampler says about itself; part of the ring, renewed every second."""

    pid: int = 0
    source: str = ""
    passed_over: dict[str, str] = {}
    """Sources that `auto` did not take, each with the reason."""
    notes: tuple[str, ...] = ()
    """Channels that could not be read, said once each."""
    unanswered: tuple[str, ...] = ()
    """Files and questions that hang, or did a moment ago; the others go on."""
    board: str = ""
    rate_hz: float = 0.0
    """Wanted: the highest that any reader asks for."""
    effective_rate_hz: float | None = None
    """Samples a second over the last ten seconds; None: not two samples yet."""
    distinct_rate_hz: float | None = None
    """How often a second the readings changed: the sensor's own rate where it is the slower one."""
    samples: int = 0
    distinct: int = 0
    """Samples whose rails (load and clocks where there are no rails) differ from the one before."""
    gaps: int = 0
    """Beats that were missed altogether."""
    cpu_s: float = 0.0
    """Processor time of the sampler since it began."""
    cpu_share: float | None = None
    """Share of one core over the last ten seconds."""
    averaged_s: float | None = None
    """A reading of power is a mean over so many seconds; None: of an instant, as far as is known."""
    sweep_ms: float | None = None
    """How long one reading of all sensors takes, smoothed."""
    scheduling: str = ""
    """How the system wakes it: `real time`, `preferred`, `short slices`, `ordinary`. Only the first is always in time."""
    began_s: float = 0.0
    """Monotonic seconds of its start."""


def wall_now() -> str:
    """The wall clock in ISO 8601 with its zone, to the millisecond."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


encode = msgspec.json.encode
_decoder = LateDecoder[Sample](Sample)
_stats_decoder = LateDecoder[Stats](Stats)


def decode(data: bytes | memoryview) -> Sample:
    """Read one telemetry document; keys of later versions are passed over.

    Raises:
        msgspec.DecodeError: it is no such document.
    """
    return _decoder.decode(data)


def decode_stats(data: bytes | memoryview) -> Stats:
    """Read what `encode` made of a `Stats`.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _stats_decoder.decode(data)
