"""What a search for settings may set here, what each is by itself, and what ships.

Apart from `setting_answers.py`, which makes recipes and runs of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from ..backends.cards import CARDS
from ..runs.sweep_plan import threads_up_to, typed_settings
from ..schema.settings import BackendSettings
from ..search.settings_asked import Knob, Settings, Value
from ..system.cpu import physical_cores

CALIBRATORS = ("percentile", "entropy", "mse", "minmax")
CHANNELS = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
FACTORS = (0.5, 0.6, 0.75, 0.85, 1.0)
"""Multiplications that are left in layers made of two factors; 1: none is."""
EVEN, OWN = "even", "by sensitivity"
"""How channels that go are spread over groups: one share for all, or at as many multiplications the least sensitive most."""
ZEROS = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8)
"""Share of all weights that is made zero. Nothing is faster or smaller for that until it is packed."""
PACKED = "gzip_mb"
"""What a goal has to limit for zeros to be tried."""
PLAIN: Settings = {"format": "fp32", "channels": 0.0, "factors": 1.0, "calibrator": "percentile"}


class Offered:
    """What can be set with a backend here. What its settings say already, other than it would by itself, stays as it is."""

    def __init__(
        self,
        backend: BackendSettings,
        *,
        mix: bool,
        spread: bool = False,
        limited: Collection[str] = (),
        cores: int | None = None,
    ) -> None:
        """`mix`: a search for formats has found one. `spread`: one for channels knows what each group does. `limited`: by the
        goal. `cores`: of this machine; None: as it says.
        """
        self._backend, card = backend, CARDS[backend.name]
        half, cores = card.has_half(backend), cores or physical_cores()
        said = msgspec.to_builtins(backend if backend.name == "onnxruntime" else backend.own)
        usual = BackendSettings(name=backend.name)
        itself = msgspec.to_builtins(usual if backend.name == "onnxruntime" else usual.own)
        own: list[Knob] = []
        self.plain: Settings = {**PLAIN, **({"spread": EVEN} if spread else {})}
        for each in card.searched:
            values = each.values or threads_up_to(cores)
            if said[each.name] == itself[each.name] and len(values) > 1:
                own.append(Knob(name=each.name, choices=values))
                self.plain[each.name] = each.usual or cores
        zeros = PACKED in limited
        if zeros:
            self.plain["zeros"] = 0.0
        self._own = tuple(knob.name for knob in own)
        self._silent = {each.name for each in card.searched if not each.moves_outputs}
        self._seeds = _seeds(self.plain, half=half, mix=mix, spread=spread)
        formats = ("fp32", *(("fp16",) if half else ()), "int8", *(("mix",) if mix else ()))
        self.knobs = (
            Knob(name="format", choices=formats),
            Knob(name="channels", choices=CHANNELS),
            Knob(name="factors", choices=FACTORS),
            Knob(name="calibrator", choices=CALIBRATORS),
            *((Knob(name="spread", choices=(EVEN, OWN)),) if spread else ()),
            *((Knob(name="zeros", choices=ZEROS),) if zeros else ()),
            *own,
        )

    @property
    def seeds(self) -> list[Settings]:
        """What ships, what was found, and the most usual of them on one thread, where threads are set."""
        return [*self._seeds, *([self._seeds[0] | {"threads": 1}] if "threads" in self._own else [])]

    def changed(self, settings: Settings) -> dict[str, Value]:
        """Settings of the backend that are not what they are by themselves."""
        return {name: settings[name] for name in self._own if settings[name] != self.plain[name]}

    def backend_of(self, settings: Settings) -> BackendSettings | None:
        """What a candidate is built and run with; None: what the baseline is.

        Raises:
            UsageError: the backend has no such value.
        """
        changed = self.changed(settings)
        return typed_settings(self._backend, changed) if changed else None

    def words(self, settings: Settings, *, outputs: bool = False) -> tuple[str, ...]:
        """`NAME=VALUE` of each, in order; of the backend's those that are not what they are by themselves. `outputs`: of those
        alone that outputs depend on, which are checked once for all.
        """
        changed = self.changed(settings)
        left = {name: value for name, value in settings.items() if name not in self._own}
        left |= {name: value for name, value in changed.items() if not (outputs and name in self._silent)}
        return tuple(f"{name}={value}" for name, value in sorted(left.items()))


def _seeds(plain: Settings, *, half: bool, mix: bool, spread: bool) -> Sequence[Settings]:
    found: list[Settings] = [plain | {"format": "int8"}, plain | {"channels": 0.25}, plain | {"factors": 0.75}]
    found.append(plain | {"format": "int8", "channels": 0.25})
    if spread:
        found += [plain | {"channels": 0.25, "spread": OWN}, plain | {"format": "int8", "channels": 0.25, "spread": OWN}]
    if "zeros" in plain:
        found.append(plain | {"format": "int8", "zeros": 0.5})
    if half:
        found.append(plain | {"format": "fp16"})
    if mix:
        found += [plain | {"format": "mix"}, plain | {"format": "mix", "channels": 0.25}]
    return found
