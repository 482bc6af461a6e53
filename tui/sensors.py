"""What a sample says, as rows and columns of words: the Monitor screen, `monitor --once` and its plain lines read the same.

Every figure has the name of its series in `History`; one that the source does not say is a dash, with the reason where there
is one to tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ..engine.report.words import DASH

if TYPE_CHECKING:
    from ..engine.api import Sample

NO_POWER = "no power sensor here"
_CONSTANT = "a constant of the driver"


class Figure(NamedTuple):
    """One row: a label, a value in words and its unit."""

    key: str
    """The name of its series; empty: it cannot be drawn."""
    label: str
    value: str
    unit: str = ""
    note: str = ""
    """What stands beside it: the clock of a core, the reason for a dash."""


class Group(NamedTuple):
    """Figures that belong together."""

    title: str
    figures: list[Figure]


def groups(sample: Sample, watt_decimals: int = 2) -> list[Group]:
    """Everything that the sample says, and dashes for what it does not."""
    made = (
        Group("Power", list(_power(sample, watt_decimals))),
        Group("Temperature", list(_temperature(sample))),
        Group("GPU", list(_gpu(sample))),
        Group("Engines", list(_engines(sample))),
        Group("CPU", list(_cpu(sample))),
        Group("Memory", list(_memory(sample))),
        Group("Clocks", [_figure(f"clocks_mhz.{k}", k, v, "MHz") for k, v in sample.clocks_mhz.items()]),
        Group("Board", list(_board(sample))),
    )
    return [group for group in made if group.figures]


def no_power(sample: Sample) -> str:
    """Why a sample has no power. A line of tegrastats lacks it for many reasons: who ran it, a filter, a line cut short."""
    return "tegrastats tells no power here" if sample.source == "tegrastats" else NO_POWER


def watts(milliwatts: float | None, decimals: int) -> str:
    """Watts with as many decimals as the sensor's step means."""
    return DASH if milliwatts is None else f"{milliwatts / 1000:.{decimals}f}"


def _figure(key: str, label: str, value: float | None, unit: str, places: int = 0, note: str = "") -> Figure:
    return Figure(key, label, DASH if value is None else f"{value:.{places}f}", unit, note)


def _power(sample: Sample, decimals: int) -> Iterator[Figure]:
    if sample.total_mw is not None:
        yield Figure("total_mw", "total", watts(sample.total_mw, decimals), "W", sample.total_scope or "")
    elif sample.rails_mw:
        why = "a rail of it is silent" if sample.total_scope else "no rule says which rails make it"
        yield Figure("total_mw", "total", DASH, "W", why)
    else:
        yield Figure("total_mw", "total", DASH, "W", no_power(sample))
    for name, milliwatts in sample.rails_mw.items():
        yield Figure(
            f"rails_mw.{name}",
            name,
            watts(milliwatts, decimals),
            "W",
            "" if milliwatts is not None else sample.silent.get(name, "silent"),
        )
    for name, milliwatts in sample.carrier_mw.items():
        yield Figure(f"carrier_mw.{name}", name, watts(milliwatts, decimals), "W", "carrier board")


def _temperature(sample: Sample) -> Iterator[Figure]:
    if sample.hottest is not None:
        yield _figure("hottest_c", "hottest", sample.hottest[1], "°C", 1, sample.hottest[0])
    elif not sample.temps_c:
        yield Figure("hottest_c", "hottest", DASH, "°C", "no sensor here")
    for zone, degrees in sample.temps_c.items():
        constant = zone.lower().startswith("pmic")
        note = sample.silent.get(zone, "off") if degrees is None else _CONSTANT if constant else ""
        yield _figure(f"temps_c.{zone}", zone, degrees, "°C", 1, note)


def _gpu(sample: Sample) -> Iterator[Figure]:
    clocks = sample.gpu_freq_mhz
    if sample.gpu_load_pct is None and not clocks and sample.gpu_ram_used_mb is None:
        return
    note = "  ".join(f"{mhz:.0f} MHz" if mhz else "off" for mhz in clocks)
    yield _figure("gpu_load_pct", "load", sample.gpu_load_pct, "%", 0, note)
    if sample.gpu_ram_used_mb is not None:
        yield Figure("", "memory", f"{sample.gpu_ram_used_mb / 1024:.1f}", "GB", _of(sample.gpu_ram_total_mb))


def _engines(sample: Sample) -> Iterator[Figure]:
    for name, load in sample.engine_load_pct.items():
        yield _figure(f"engine_load_pct.{name}", name, load, "%")


def _cpu(sample: Sample) -> Iterator[Figure]:
    if len(sample.cpu_load_pct) > 1:
        known = [load for load in sample.cpu_load_pct if load is not None]
        yield _figure("cpu_mean_pct", "mean", sum(known) / len(known) if known else None, "%", 0, _on(len(known)))
    for core, load in enumerate(sample.cpu_load_pct):
        clock = sample.cpu_freq_mhz[core] if core < len(sample.cpu_freq_mhz) else None
        note = f"{clock:.0f} MHz" if clock is not None else "off" if load is None else ""
        yield _figure(f"cpu_load_pct.{core}", f"core {core}", load, "%", 0, note)


def _on(cores: int) -> str:
    return f"{cores} cores on" if cores else ""


def _memory(sample: Sample) -> Iterator[Figure]:
    if sample.ram_used_mb is not None:
        yield Figure("ram_used_mb", "RAM", f"{sample.ram_used_mb / 1024:.2f}", "GB", _of(sample.ram_total_mb))
    if sample.swap_total_mb:
        used = DASH if sample.swap_used_mb is None else f"{sample.swap_used_mb / 1024:.2f}"
        yield Figure("swap_used_mb", "swap", used, "GB", _of(sample.swap_total_mb))
    if sample.emc_load_pct is not None:
        yield _figure("emc_load_pct", "bandwidth", sample.emc_load_pct, "%")


def _board(sample: Sample) -> Iterator[Figure]:
    if sample.power_mode:
        yield Figure("", "power mode", sample.power_mode)
    if sample.fan_rpm is not None:
        yield _figure("fan_rpm", "fan", sample.fan_rpm, "rpm")
    if sample.throttled is not None:
        yield Figure("", "throttled", ", ".join(sample.throttled) or "no")
    for name, count in sample.counters.items():
        yield Figure("", name, f"{count:g}")


def _of(total_mb: float | None) -> str:
    return "" if total_mb is None else f"of {total_mb / 1024:.1f}"


def clock(sample: Sample) -> str:
    """The time of day that a sample tells, or its seconds where it has none."""
    return sample.wall[11:19] if len(sample.wall) >= 19 else f"{sample.t_s:.0f} s"


def columns(sample: Sample, watt_decimals: int = 2) -> list[tuple[str, str]]:
    """(head, value) of a plain line; heads are the same for as long as the sample says the same things."""
    cells = [("time", clock(sample))]
    for name, milliwatts in sample.rails_mw.items():
        cells.append((f"{name} W", watts(milliwatts, watt_decimals)))
    if sample.total_scope is not None:
        cells.append((f"total W ({sample.total_scope})", watts(sample.total_mw, watt_decimals)))
    if sample.gpu_load_pct is not None:
        cells.append(("GPU %", f"{sample.gpu_load_pct:.0f}"))
    if sample.gpu_freq_mhz:
        cells.append(("GPU MHz", "/".join(f"{mhz:.0f}" for mhz in sample.gpu_freq_mhz)))
    known = [load for load in sample.cpu_load_pct if load is not None]
    cells.append(("CPU %", f"{sum(known) / len(known):.0f}" if known else DASH))
    cells.append(("RAM GB", DASH if sample.ram_used_mb is None else f"{sample.ram_used_mb / 1024:.2f}"))
    if sample.emc_load_pct is not None:
        cells.append(("EMC %", f"{sample.emc_load_pct:.0f}"))
    zone, degrees = sample.hottest or ("", None)
    cells.append(("hottest °C", DASH if degrees is None else f"{degrees:.1f} {zone}"))
    if sample.throttled:
        cells.append(("throttled", ", ".join(sample.throttled)))
    return cells


def left(days: float | None) -> str:
    """How long the disk lasts: `12 days left`; empty while it cannot be told."""
    if days is None:
        return ""
    if days > 3650:
        return "over 10 years left"
    return f"{days:.0f} days left" if days >= 2 else f"{days * 24:.1f} h left"
