"""Every quantity that sensors tell, a row each: charts, lists, plain lines, exported tables and alerts read this.

Rows stand in the order of the columns of plain lines; `in_groups` has them as they are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .quantity import Quantity, Unit, Value, Values, each, numbered, one
from .sample import Sample, is_constant

WATTS, CELSIUS, PERCENT = Unit("W", 1000, None), Unit("°C", places=1), Unit("%", low=0.0, high=100.0)
MHZ, RPM, GB = Unit("MHz"), Unit("rpm", low=0.0), Unit("GB", 1024, 2, low=0.0)
"""Memory is kept in MiB and shown in units of 2^30 bytes, as boards are sold."""

_FIRST = ("Power", "Temperature", "GPU", "Engines", "CPU", "Memory", "Clocks", "Board")


def no_power(sample: Sample) -> str:
    """Why a sample has no power. A line of tegrastats lacks it for many reasons: who ran it, a filter, a line cut short."""
    return "tegrastats tells no power here" if sample.source == "tegrastats" else "no power sensor here"


def _about_total(sample: Sample, _name: str, value: Value) -> str:
    if value is not None:
        return sample.total_scope or ""
    if not sample.rails_mw:
        return no_power(sample)
    return "a rail of it is silent" if sample.total_scope else "no rule says which rails make it"


def _silent(sample: Sample, name: str, value: Value) -> str:
    return "" if value is not None else sample.silent.get(name, "silent")


def _about_zone(sample: Sample, name: str, value: Value) -> str:
    if value is None:
        return sample.silent.get(name, "off")
    return "a constant of the driver" if is_constant(name) else ""


def _hottest(sample: Sample) -> Values:
    hottest = sample.hottest
    return (("", hottest[1] if hottest else None),)


def _hottest_zone(sample: Sample, _name: str, _value: Value) -> str:
    return sample.hottest[0] if sample.hottest else "no sensor here"


def _gpu_clocks(sample: Sample, _name: str, _value: Value) -> str:
    return "  ".join(f"{mhz:.0f} MHz" if mhz else "off" for mhz in sample.gpu_freq_mhz)


def _has_gpu(sample: Sample) -> bool:
    return sample.gpu_load_pct is not None or bool(sample.gpu_freq_mhz) or sample.gpu_ram_used_mb is not None


def _core_clock(sample: Sample, name: str, value: Value) -> str:
    clock = sample.cpu_freq_mhz[int(name)] if int(name) < len(sample.cpu_freq_mhz) else None
    return f"{clock:.0f} MHz" if clock is not None else "off" if value is None else ""


def _cores_on(sample: Sample, _name: str, _value: Value) -> str:
    on = sum(load is not None for load in sample.cpu_load_pct)
    return f"{on} cores on" if on else ""


class _Total(Quantity, frozen=True, kw_only=True):
    """Its column says what it covers, and is there wherever a rule makes it."""

    def cells(self, sample: Sample, watt_decimals: int) -> Iterator[tuple[str, str]]:
        """(head, value) in a plain line."""
        if sample.total_scope is not None:
            yield f"total W ({sample.total_scope})", self.words(sample.total_mw, watt_decimals)


class _Hottest(Quantity, frozen=True, kw_only=True):
    """Its column names the zone."""

    def cells(self, sample: Sample, watt_decimals: int) -> Iterator[tuple[str, str]]:
        """(head, value) in a plain line."""
        zone, degrees = sample.hottest or ("", None)
        yield self.column, f"{self.words(degrees, watt_decimals)} {zone}".strip()


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        key="rails_mw",
        group="Power",
        unit=WATTS,
        values=each("rails_mw"),
        note=_silent,
        chart="Power",
        column="{} W",
        watch="power",
    ),
    _Total(
        key="total_mw",
        group="Power",
        label="total",
        unit=WATTS,
        values=one("total_mw"),
        note=_about_total,
        has_row=lambda _: True,
        about="total_scope",
        chart="Power",
        csv_always=True,
        watch="power",
    ),
    Quantity(
        key="carrier_mw",
        group="Power",
        unit=WATTS,
        values=each("carrier_mw"),
        note=lambda *_: "carrier board",
    ),
    Quantity(
        key="gpu_load_pct",
        group="GPU",
        label="load",
        unit=PERCENT,
        values=one("gpu_load_pct"),
        note=_gpu_clocks,
        has_row=_has_gpu,
        chart="GPU",
        column="GPU %",
        watch="gpu_load",
        csv_always=True,
    ),
    Quantity(key="gpu_freq_mhz", unit=MHZ, values=numbered("gpu_freq_mhz"), column="GPU MHz"),
    Quantity(
        key="gpu_ram_used_mb",
        group="GPU",
        label="memory",
        unit=GB._replace(places=1),
        values=one("gpu_ram_used_mb"),
        total="gpu_ram_total_mb",
        about="gpu_ram_total_mb",
    ),
    Quantity(key="engine_load_pct", group="Engines", unit=PERCENT, values=each("engine_load_pct")),
    Quantity(
        key="cpu_mean_pct",
        group="CPU",
        label="mean",
        unit=PERCENT,
        values=lambda sample: (("", sample.cpu_mean_pct),),
        note=_cores_on,
        has_row=lambda sample: len(sample.cpu_load_pct) > 1,
        chart="CPU",
        column="CPU %",
        watch="cpu_load",
        always=True,
    ),
    Quantity(
        key="cpu_load_pct",
        group="CPU",
        label="core {}",
        unit=PERCENT,
        values=numbered("cpu_load_pct"),
        note=_core_clock,
        chart="CPU",
    ),
    Quantity(key="cpu_freq_mhz", unit=MHZ, values=numbered("cpu_freq_mhz")),
    Quantity(
        key="ram_used_mb",
        group="Memory",
        label="RAM",
        unit=GB,
        values=one("ram_used_mb"),
        total="ram_total_mb",
        about="ram_total_mb",
        chart="Memory",
        column="RAM GB",
        always=True,
        csv_always=True,
        watch="ram",
    ),
    Quantity(
        key="swap_used_mb",
        group="Memory",
        label="swap",
        unit=GB,
        values=one("swap_used_mb"),
        has_row=lambda sample: bool(sample.swap_total_mb),
        total="swap_total_mb",
        watch="swap",
        about="swap_total_mb",
        csv_always=True,
    ),
    Quantity(
        key="emc_load_pct",
        group="Memory",
        label="bandwidth",
        unit=PERCENT,
        values=one("emc_load_pct"),
        column="EMC %",
        csv_always=True,
    ),
    _Hottest(
        key="hottest_c",
        group="Temperature",
        label="hottest",
        unit=CELSIUS,
        values=_hottest,
        note=_hottest_zone,
        has_row=lambda sample: sample.hottest is not None or not sample.temps_c,
        chart="Temperature",
        column="hottest °C",
    ),
    Quantity(
        key="temps_c",
        group="Temperature",
        unit=CELSIUS,
        values=each("temps_c"),
        note=_about_zone,
        watch="temperature",
        unwatched=is_constant,
    ),
    Quantity(key="clocks_mhz", group="Clocks", unit=MHZ, values=each("clocks_mhz"), watch="clock"),
    Quantity(key="fan_rpm", group="Board", label="fan", unit=RPM, values=one("fan_rpm"), csv_always=True, watch="fan"),
)

BY_KEY = {quantity.key: quantity for quantity in QUANTITIES}


def headings(quantities: Iterable[Quantity]) -> tuple[str, ...]:
    """The groups in the order in which they are listed; one that is new comes last."""
    return tuple(dict.fromkeys((*_FIRST, *(quantity.group for quantity in quantities if quantity.group))))


GROUPS = headings(QUANTITIES)
IN_GROUPS = sorted(
    (quantity for quantity in QUANTITIES if quantity.group),
    key=lambda quantity: (GROUPS.index(quantity.group), not quantity.single),
)
"""As they are listed: one figure before those of rails, zones and cores."""
WATCHED = tuple(dict.fromkeys(quantity.watch for quantity in QUANTITIES if quantity.watch))
"""Words that an alert's `watch` may have."""


def series(sample: Sample) -> list[tuple[str, float]]:
    """All numbers of a sample with the names of their series; unknown ones are left out."""
    return [known for quantity in QUANTITIES for known in quantity.series(sample)]


def watched_by(word: str, where: str) -> list[Quantity]:
    """What an alert on `word` looks at: with `where` the quantity of rails or zones, else the single one if there is one."""
    own = [quantity for quantity in QUANTITIES if quantity.watch == word]
    return [quantity for quantity in own if quantity.single != bool(where)] or own
