"""NVIDIA cards through NVML (package nvidia-ml-py), beside the host's cores, memory and temperatures.

No CUDA context is made. Power is kept under the name of what it is: `GPU instant` and `GPU average` (one second) where
the driver tells them apart, `GPU` where it does not. The energy counter (from Volta on) counts millijoules since the
driver was loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import structs

from ...system.patience import DEADLINE_S, ask
from ...system.root_files import Files
from ..channel import Beat, Notes, Remark
from ..energy import TOTAL_JOULES
from ..sample import Sample
from .host import Host
from .source import Source, SourceRefused

_POWER_AVERAGE, _POWER_INSTANT = 185, 186
"""NVML_FI_DEV_POWER_AVERAGE and _INSTANT; older nvidia-ml-py has no names for them."""
_USAGE_S = 1.0
"""nvmlDeviceGetPowerUsage is a mean over a second from Ampere on, GA100 apart, where it is of an instant as before."""
_NO_MEMORY = 2**60
"""Some drivers answer with success and a number that is none."""
_REASONS = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "thermal (driver)",
    0x40: "thermal (hardware)",
    0x80: "power brake",
}
"""Bits of nvmlDeviceGetCurrentClocksThrottleReasons; the others are no throttling (idle, set by the user)."""


_INSTALL = "pip install 'edgetui[nvml]'"


class Nvml(Source):
    """All cards of a computer. Power, memory and energy are sums over the cards, load is that of the busiest.

    Raises:
        SourceRefused: no package, no driver, no card, or the GPU is a part of a Jetson.
    """

    name = "nvml"
    pushed = False

    def __init__(self, files: Files) -> None:
        self._library, self._cards = open_cards()
        self.gpus = tuple(card.model for card in self._cards)
        self._host = Host(files)

    def read(self, now_s: float) -> Sample:
        """One sweep over the cards and the host."""
        host = self._host.read(now_s)
        readings = [card.read(now_s) for card in self._cards]
        rails: dict[str, int | None] = {}
        counters: dict[str, float] = {}
        temps: dict[str, float | None] = {}
        for reading in readings:
            rails.update(reading.rails_mw)
            counters.update(reading.counters)
            temps.update(reading.temps_c)
        self.averaged_s = _USAGE_S if any(card.averages for card in self._cards) else None
        totals = [reading.total_mw for reading in readings]
        known = [milliwatts for milliwatts in totals if milliwatts is not None]
        if len(counters) == len(self._cards):
            counters[TOTAL_JOULES] = sum(counters.values())
        host_counters = {name: value for name, value in host.counters.items() if name != TOTAL_JOULES}
        reasons = [reading.throttled for reading in readings if reading.throttled is not None]
        clocks = {name: mhz for reading in readings for name, mhz in reading.clocks_mhz.items()}
        return structs.replace(
            host,
            source=self.name,
            rails_mw={**rails, **host.rails_mw},
            total_mw=sum(known) if len(known) == len(totals) else None,
            total_scope="gpu" if known else None,
            gpu_load_pct=max((r.gpu_load_pct for r in readings if r.gpu_load_pct is not None), default=None),
            gpu_freq_mhz=tuple(mhz for reading in readings for mhz in reading.gpu_freq_mhz),
            temps_c={**temps, **host.temps_c},
            clocks_mhz=clocks,
            gpu_ram_used_mb=_sum(reading.gpu_ram_used_mb for reading in readings),
            gpu_ram_total_mb=_sum(reading.gpu_ram_total_mb for reading in readings),
            counters={**counters, **host_counters},
            throttled=tuple(dict.fromkeys(reason for found in reasons for reason in found)) if reasons else None,
        )

    def notes(self) -> tuple[str, ...]:
        """What a card does not tell."""
        return tuple(note for card in self._cards for note in card.notes.lines()) + self._host.notes()

    def remark(self, about: str) -> Remark | None:
        """What was noted about a card or the host."""
        return next((found for card in self._cards if (found := card.notes.remark(about))), self._host.remark(about))

    def close(self) -> None:
        """Let go of the library."""
        self._library.nvmlShutdown()


class NvmlGpu:
    """One GPU. What it answers with `not supported` is not asked again."""

    def __init__(self, library: Any, handle: Any, name: str, model: str) -> None:  # noqa: ANN401  nvidia-ml-py has no types
        """`name`: what its figures are called; `model`: what its driver calls it."""
        self.name, self.model, self.notes = name, model, Notes()
        self._library, self._handle = library, handle
        self._silent: set[str] = set()
        self._beat = Beat(0.2)
        self._slow = Sample(t_s=0.0)
        self.averages = False
        """Its total is a mean over a second."""

    def read(self, now_s: float) -> Sample:
        """Power and energy at every beat, the rest at most five times a second: the driver has nothing newer."""
        if self._beat.due(now_s):
            self._slow = self._read_slow(now_s)
        instant, average = self._field(_POWER_INSTANT), self._field(_POWER_AVERAGE)
        usage = self._ask("power", self._library.nvmlDeviceGetPowerUsage) if instant is None else None
        self.averages = usage is not None
        millijoules = self._ask("energy", self._library.nvmlDeviceGetTotalEnergyConsumption)
        named = {f"{self.name} instant": instant, f"{self.name} average": average, self.name: usage}
        return structs.replace(
            self._slow,
            t_s=now_s,
            rails_mw={name: round(milliwatts) for name, milliwatts in named.items() if milliwatts is not None},
            total_mw=instant if instant is not None else usage,
            counters={} if millijoules is None else {f"{self.name} J": millijoules / 1000.0},
        )

    def load_pct(self) -> float | None:
        """How busy the card is; the driver's window is a sixth of a second to a second."""
        rates = self._ask("load", self._library.nvmlDeviceGetUtilizationRates)
        return None if rates is None else float(rates.gpu)

    def _read_slow(self, now_s: float) -> Sample:
        library = self._library
        degrees = self._ask("temperature", lambda h: library.nvmlDeviceGetTemperature(h, library.NVML_TEMPERATURE_GPU))
        graphics = self._ask("clock", lambda h: library.nvmlDeviceGetClockInfo(h, library.NVML_CLOCK_GRAPHICS))
        memory_clock = self._ask("memory clock", lambda h: library.nvmlDeviceGetClockInfo(h, library.NVML_CLOCK_MEM))
        memory = self._ask("memory", library.nvmlDeviceGetMemoryInfo)
        if memory is not None and not 0 <= memory.used <= memory.total < _NO_MEMORY:
            memory = None
        bits = self._ask("throttling", library.nvmlDeviceGetCurrentClocksThrottleReasons)
        return Sample(
            t_s=now_s,
            gpu_load_pct=self.load_pct(),
            gpu_freq_mhz=() if graphics is None else (float(graphics),),
            temps_c={} if degrees is None else {self.name: float(degrees)},
            clocks_mhz={} if memory_clock is None else {f"{self.name} memory": float(memory_clock)},
            gpu_ram_used_mb=None if memory is None else round(memory.used / 2**20, 1),
            gpu_ram_total_mb=None if memory is None else round(memory.total / 2**20, 1),
            throttled=None if bits is None else tuple(text for bit, text in _REASONS.items() if bits & bit),
        )

    def _field(self, number: int) -> int | None:
        """A field value in mW; None: this card or driver does not have it."""
        answers = self._ask(f"field {number}", lambda h: self._library.nvmlDeviceGetFieldValues(h, [number]), told=False)
        if not answers or answers[0].nvmlReturn != 0:
            self._silent.add(f"field {number}")
            return None
        return int(answers[0].value.uiVal)

    def _ask(self, what: str, question: Callable[[Any], Any], *, told: bool = True) -> Any:  # noqa: ANN401  nvidia-ml-py has no types
        """An answer; None: there is none, which is noted where it is `told`."""
        if what in self._silent:
            return None
        try:
            return ask(f"NVML: {self.name} {what}", question, self._handle)
        except TimeoutError:
            return None
        except self._library.NVMLError as error:
            if getattr(error, "value", None) == self._library.NVML_ERROR_NOT_SUPPORTED:
                self._silent.add(what)
            if told:
                self.notes.once(what, f"{self.name} {what}: {error}")
            return None


def open_cards(*, integrated: bool = False) -> tuple[Any, list[NvmlGpu]]:
    """(the library, initialised; the cards). A Jetson's own GPU answers NVML too, with rubbish for most questions.

    Raises:
        SourceRefused: no package, no driver, no card, or a Jetson's GPU where `integrated` does not ask for it.
    """
    try:
        import pynvml
    except ImportError:
        raise SourceRefused(
            "the Python package nvidia-ml-py is not installed",
            fix=f"install it with `{_INSTALL}`",
            mend=_INSTALL,
        ) from None
    try:
        ask("NVML", pynvml.nvmlInit)
    except TimeoutError:
        raise SourceRefused(f"the NVIDIA driver gives no answer within {DEADLINE_S:g} s", fix="see `sudo dmesg`") from None
    except pynvml.NVMLError as error:
        raise SourceRefused(f"there is no NVIDIA driver ({error})") from None
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(k) for k in range(pynvml.nvmlDeviceGetCount())]
        models = [_text(pynvml.nvmlDeviceGetName(handle)) for handle in handles]
    except pynvml.NVMLError as error:
        pynvml.nvmlShutdown()
        raise SourceRefused(f"the NVIDIA driver does not name its cards ({error})") from None
    if not integrated and any("nvgpu" in model.lower() or "tegra" in model.lower() for model in models):
        pynvml.nvmlShutdown()
        raise SourceRefused("the GPU is part of a Jetson: its figures are in sysfs, not in NVML")
    if not handles:
        pynvml.nvmlShutdown()
        raise SourceRefused("the NVIDIA driver has no card")
    names = ["GPU"] if len(handles) == 1 else [f"GPU {k}" for k in range(len(handles))]
    return pynvml, [NvmlGpu(pynvml, *card) for card in zip(handles, names, models, strict=True)]


def _sum(figures: Iterable[float | None]) -> float | None:
    """Of all cards; None: one of them does not say, and half a sum is no sum."""
    known = list(figures)
    return None if not known or None in known else round(sum(figure for figure in known if figure is not None), 1)


def _text(name: str | bytes) -> str:
    """Older nvidia-ml-py answers in bytes."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
