"""One line of tegrastats, of any release from R21 to R39, as values.

A field is believed only when the whole token has the form that tegrastats prints; otherwise it is absent. Numbers have
at most nine ASCII digits. Tokens can come in any order; unknown ones are passed over. `GPU 0/0` is a rail, `GPU@32C` a
zone and `CPU [` the cores: what follows the name decides. A line in which nothing is tegrastats' without doubt says nothing:
other programs count as well (`epoch 3/10`, `GPU 1/8`).
"""

from __future__ import annotations

import re
from typing import TypeVar

from msgspec import Struct, structs

from .decorations import bare

_Engine = tuple[int | None, tuple[int, ...]]
"""(percent, one clock for each cluster)."""
_Rails = dict[str, tuple[int, int, int | None]]
_Temps = dict[str, float | None]
_Clocks = dict[str, int | None]
_Loads = dict[str, int]
_T = TypeVar("_T")
_NO_ENGINE = "-"
_UNSAID: _Engine = (None, ())
_KNOWN_CORES: dict[str, tuple[int | None, int | None]] = {"off": (None, None)}
_KNOWN_ENGINES: dict[str, _Engine] = {}
_KNOWN_DEGREES: dict[str, float | None] = {}
_STEMS: dict[str, str] = {}
"""`2%@729` to its values: lines repeat the same few hundred texts. Emptied when they grow past `_MOST_KNOWN`."""
_MOST_KNOWN = 8192


class TegrastatsLine(Struct, frozen=True, kw_only=True, gc=False):
    """What one line says. None, or missing in a dictionary: it does not say, or cannot be read; never 0 for that."""

    timestamp: str | None = None
    """`MM-DD-YYYY HH:MM:SS`, local time without a zone."""
    ram_used_mb: int | None = None
    ram_total_mb: int | None = None
    lfb_blocks: int | None = None
    lfb_block_kb: int | None = None
    swap_used_mb: int | None = None
    swap_total_mb: int | None = None
    swap_cached_mb: int | None = None
    iram_used_kb: int | None = None
    iram_total_kb: int | None = None
    cpu_load_pct: tuple[int | None, ...] = ()
    """By core; None: off."""
    cpu_freq_mhz: tuple[int | None, ...] = ()
    mts_fg_pct: int | None = None
    mts_bg_pct: int | None = None
    """Share of time that the Denver cores spend translating code, in the foreground and beside it."""
    emc_load_pct: int | None = None
    emc_freq_mhz: int | None = None
    gpu_load_pct: int | None = None
    gpu_freq_mhz: tuple[int, ...] = ()
    """One for each graphics cluster; empty: no clock in the line."""
    clocks_mhz: dict[str, int | None] = {}
    """Other engines; None: off."""
    engine_load_pct: dict[str, int] = {}
    """Of those of the other engines that have a load in the line."""
    rails_mw: dict[str, tuple[int, int, int | None]] = {}
    """(instant, mean since tegrastats started, maximum from R39 on). The mean is no power of this second."""
    temps_c: dict[str, float | None] = {}
    """None: -256, the sensor is off."""
    temps_max_c: dict[str, float | None] = {}

    @property
    def empty(self) -> bool:
        """Nothing but a time is in it: a line of another program."""
        return self.ram_total_mb is None and structs.replace(self, timestamp=None) == _EMPTY


_EMPTY = TegrastatsLine()
_END = r"(?![,.:]?[^ ,.:])"
"""Of a token: a blank; others put commas and full stops before it."""
_TIME = re.compile(r"(?<![0-9-])[0-9]{2}-[0-9]{2}-[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}" + _END)
_STAMP_LENGTH = len("MM-DD-YYYY HH:MM:SS ")
_RAM = re.compile(r"RAM ([0-9]{1,9}) ?/ ?([0-9]{1,9}) ?MB(?: \(lfb ([0-9]{1,9})x([0-9]{1,6})([kM])B\))?" + _END)
_SWAP = re.compile(r" SWAP ([0-9]{1,9}) ?/ ?([0-9]{1,9}) ?MB(?: \(cached ([0-9]{1,9})MB\))?" + _END)
_IRAM = re.compile(r" IRAM ([0-9]{1,9})/([0-9]{1,9})kB ?\(lfb [0-9]{1,9}kB\)" + _END)
_CPU = re.compile(r"(?:CPU|cpu) \[([^\[\]]*)\](?:@([0-9]{1,5}))?" + _END)
_CORE = re.compile(r" ?(?:off|([0-9]{1,3}) ?%(?:@([0-9]{1,5}))?) ?")
_MTS = re.compile(r" MTS fg ([0-9]{1,3})% bg ([0-9]{1,3})%" + _END)
_REST = re.compile(
    r" ([A-Za-z][\w-]*)(?:"
    r"@(-?[0-9]{1,4}(?:\.[0-9]{1,6})?)C(?:/(-?[0-9]{1,4}(?:\.[0-9]{1,6})?)C)?"  # zone: now/most
    # rail: instant/average/most
    r"| (-?[0-9]{1,9})(?: ?mW ?/ ?(-?[0-9]{1,9}) ?mW(?: ?/ ?(-?[0-9]{1,9}) ?mW)?|/(-?[0-9]{1,9}))"
    # engine: load@clock
    r"| (off|[0-9]{1,5}(?=,? [^0-9%@\[]|$)"
    r"|(?:[0-9]{1,3} ?% ?)?@ ?(?:[0-9]{1,5}|\[ ?[0-9]{1,5}(?: ?, ?[0-9]{1,5})* ?\])|[0-9]{1,3} ?%)"
    r")" + _END,
    re.ASCII,
)
"""One pass over what is not memory and cores: a name is read once, what follows it decides what it is. A
manual prints `12 %@[1300, 1300]`, with blanks."""
_ENGINE = re.compile(r"(?:EMC|GR3D|AVP|APE|VDE|VIC|NV(?:ENC|DEC|JPG|DLA)[0-9]?|MSENC|OFA|SE|PVA[0-9])|[A-Z][A-Z0-9]*_FREQ")
_NEITHER: tuple[None, None] = (None, None)
_NO_RAILS = frozenset(("NC", "RAM", "SWAP", "IRAM"))
_RAILS = frozenset(("VDD", "POM", "VIN"))
_UNITLESS = frozenset(("CPU", "GPU", "SOC", "CV", "SYS5V"))
"""Rails of AGX Xavier by names that other programs use as well."""


def parse(line: str, *, sure: bool = False) -> TegrastatsLine:
    """Read one line; never raises, and what cannot be read is absent. `sure`: it is known to be tegrastats'."""
    line = bare(line)
    start = memory_at(line)
    time = None if start == 0 else _TIME.search(line, 0, start if start > 0 else len(line))
    line = " " + line  # what stands first is a token as others are
    ram = _RAM.match(line, start + 1) if start >= 0 else None
    swap, iram = _SWAP.search(line), _IRAM.search(line) if "IRAM" in line else None
    at = line.find("CPU [")
    cpu = _CPU.match(line, at if at >= 0 else max(line.find("cpu ["), 0))
    begin = ram.end() if ram else max(start, 0)
    begin = swap.end() if swap and swap.start() == begin else begin
    found = _REST.findall(line, begin)
    if start > _STAMP_LENGTH:  # somebody else's words stand before it
        found += filter(_surely, _REST.findall(line, 0, start + 1))
    if not (sure or ram or swap or cpu or any(map(_surely, found))):
        return TegrastatsLine(timestamp=time[0] if time else None)
    ram_used, ram_total = _pair(ram)
    swap_used, swap_total = _pair(swap)
    iram_used, iram_total = _pair(iram) if iram else _NEITHER
    loads, freqs = _cores(cpu) if cpu else ((), ())
    mts = _MTS.search(line) if "MTS" in line else None
    (emc_load, emc_freqs), (gpu_load, gpu_freqs), clocks, engine_loads, rails, temps, temps_max = _rest(found)
    return TegrastatsLine(
        timestamp=time[0] if time else None,
        ram_used_mb=ram_used,
        ram_total_mb=ram_total,
        lfb_blocks=int(ram[3]) if ram and ram[3] else None,
        lfb_block_kb=int(ram[4]) * (1024 if ram[5] == "M" else 1) if ram and ram[3] else None,
        swap_used_mb=swap_used,
        swap_total_mb=swap_total,
        swap_cached_mb=int(swap[3]) if swap and swap[3] else None,
        iram_used_kb=iram_used,
        iram_total_kb=iram_total,
        cpu_load_pct=loads,
        cpu_freq_mhz=freqs,
        mts_fg_pct=int(mts[1]) if mts else None,
        mts_bg_pct=int(mts[2]) if mts else None,
        emc_load_pct=emc_load,
        emc_freq_mhz=emc_freqs[0] if emc_freqs else None,
        gpu_load_pct=gpu_load,
        gpu_freq_mhz=gpu_freqs,
        clocks_mhz=clocks,
        engine_load_pct=engine_loads,
        rails_mw=rails,
        temps_c=temps,
        temps_max_c=temps_max,
    )


def memory_at(line: str) -> int:
    """Where `RAM 1/2MB` begins, with which nearly every line begins after its time; -1: it is not there. `IRAM` is another."""
    at = line.find("RAM ")
    while at > 0 and (line[at - 1].isalnum() or line[at - 1] == "_"):
        at = line.find("RAM ", at + 1)
    return at


def _surely(found: tuple[str, ...]) -> bool:
    """A token that no other program prints: degrees, milliwatts twice, a rail or an engine by its full name."""
    name, degrees, _, instant, average, _, _, engine = found
    return bool(degrees or average or (name[:3] in _RAILS if instant else name.endswith("_FREQ") or "%@" in engine))


def _pair(found: re.Match[str] | None) -> tuple[int | None, int | None]:
    """(used, total); more used than there is cannot have been printed so."""
    if found is None:
        return _NEITHER
    used, total = int(found[1]), int(found[2])
    return (used, total) if used <= total else _NEITHER


def _cores(found: re.Match[str]) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
    texts, common = found[1].split(","), found[2]
    known = [_KNOWN_CORES.get(text) or _core(text) for text in texts]
    loads, freqs = zip(*known, strict=True)
    if common is not None:  # R21 to R28: one clock for all cores
        mhz = int(common)
        freqs = tuple(None if load is None else mhz for load in loads)
    return loads, freqs


def _core(text: str) -> tuple[int | None, int | None]:
    found = _CORE.fullmatch(text)
    value: tuple[int | None, int | None] = (None, None)
    if found and found[1] and int(found[1]) <= 100:
        value = (int(found[1]), int(found[2]) if found[2] else None)
    return _keep(_KNOWN_CORES, text, value)


def _rest(found: list[tuple[str, ...]]) -> tuple[_Engine, _Engine, _Clocks, _Loads, _Rails, _Temps, _Temps]:
    """(EMC, GPU, other engines' clocks and loads, rails, zones, their maxima); the first token of a name counts."""
    emc = gpu = None
    clocks: _Clocks = {}
    loads: _Loads = {}
    rails: _Rails = {}
    temps: _Temps = {}
    temps_max: _Temps = {}
    for name, degrees, most, instant, average, maximum, unitless, engine in found:
        if degrees:
            if name not in temps:
                temps[name] = _KNOWN_DEGREES[degrees] if degrees in _KNOWN_DEGREES else _degrees(degrees)
                if most:
                    temps_max[name] = _degrees(most)
        elif instant:
            if average:
                if name not in rails and name not in _NO_RAILS:
                    rails[name] = (int(instant), int(average), int(maximum) if maximum else None)
            elif name not in rails and (name[:3] in _RAILS or name in _UNITLESS):
                rails[name] = (int(instant), int(unitless), None)
        else:
            stem = _STEMS.get(name) or _stem(name)
            load, freqs = said = _KNOWN_ENGINES.get(engine) or _engine(engine)
            if stem == "GR3D":
                gpu = gpu or (_UNSAID if engine.isdigit() else said)
            elif stem == "EMC":
                emc = emc or (_UNSAID if engine.isdigit() else said)
            elif stem != _NO_ENGINE and stem not in clocks:
                clocks[stem] = freqs[0] if freqs else None
                if load is not None:
                    loads[stem] = load
    return emc or _UNSAID, gpu or _UNSAID, clocks, loads, rails, temps, temps_max


def _stem(name: str) -> str:
    """`EMC` of `EMC_FREQ`."""
    stem = name.removesuffix("_FREQ") if _ENGINE.fullmatch(name) else _NO_ENGINE
    return _keep(_STEMS, name, stem)


def _keep(known: dict[str, _T], text: str, value: _T) -> _T:
    if len(known) > _MOST_KNOWN:
        known.clear()
    known[text] = value
    return value


def _degrees(text: str) -> float | None:
    degrees = float(text)
    return _keep(_KNOWN_DEGREES, text, degrees if -100.0 < degrees < 250.0 else None)


def _engine(text: str) -> _Engine:
    """`63%@[621]`, `@0`, `729`, `0%` or `off` to (percent, clocks)."""
    percent, found, clock = text.rpartition("@")
    if not found:
        percent, clock = (text, "") if text.endswith("%") else ("", text)
    load = int(percent.rstrip(" %")) if percent else None
    clocks = () if clock in ("", "off") else tuple(map(int, clock.strip("[] ").split(",")))
    value: _Engine = (None, ()) if load is not None and load > 100 else (load, clocks)
    return _keep(_KNOWN_ENGINES, text, value)
