"""The rows of the settings pane that are the run's own, no step's and no backend's: data, how sure, how issued, guard."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import get_args

from ...engine.errors import RecipeRefused
from ...engine.report.width import shortened
from ...engine.schema.field_docs import docs_of
from ...engine.schema.settings import Preset
from ...engine.schema.workloads import Workload, offered
from ..draft import Draft, RunFields
from ..fields import NONE
from ..widgets.lines import Span
from .setting_row import Around, SettingRow

NO_DATA = "   enter types it, o browses"
PRESET_WORDS = {"quick": "±10 % at 95 %", "normal": "±5 % at 95 %", "precise": "±1 % at 95 %"}
PRESETS: tuple[Preset, ...] = get_args(Preset)
PER_INPUT = (0, 10, 20, 50, 100)
"""How many samples ← → choose; any other number can be typed."""
GUARDS = {"FP16": True, "none": False}
"""Whether INT8 has a guard, in words."""


class RunRow(SettingRow):
    """A setting of the run itself."""

    def __init__(self, draft: Draft, name: str, label: str) -> None:
        super().__init__(draft, f"run:{name}", label)
        self._setting = name

    def help(self) -> str:
        return docs_of(RunFields).get(self._setting, "")


class DataRow(RunRow):
    """A dataset, by name or path."""

    typed = browsed = True

    def __init__(self, draft: Draft, name: str, label: str, around: Around, none: str = NONE, hint: str = "") -> None:
        super().__init__(draft, name, label)
        self._around, self._none, self._hint = around, none, hint

    def value(self) -> str:
        return self.text() or self._none

    def takes(self) -> str:
        return "← → chooses, enter types, e.g. ~/data/test.zip, o looks in folders."

    def beside(self) -> Sequence[Span]:
        """How to name some, where there are none."""
        return () if self.text() or not self._hint else [(self._hint, "dim")]

    def text(self) -> str:
        return {"dataset": self.draft.setup.dataset, "calibration": self.draft.setup.calibration}[self._setting]

    def put(self, text: str) -> None:
        self._around.check_dataset(text)
        self.draft.change(**{self._setting: text})

    def nudge(self, by: int) -> None:
        now = self.text()
        names = ("", *dict.fromkeys((*self._around.dataset_names(), *([now] if now else []))))
        self.draft.change(**{self._setting: names[(names.index(now) + by) % len(names)]})


class PresetRow(RunRow):
    """How narrow the interval shall be."""

    def value(self) -> str:
        return self.draft.setup.preset

    def takes(self) -> str:
        return f"← → chooses, e.g. {PRESETS[0]}."

    def beside(self) -> Sequence[Span]:
        """The preset in figures."""
        return [(f"   {PRESET_WORDS[self.draft.setup.preset]}", "dim")]

    def put(self, text: str) -> None:
        preset = next((preset for preset in PRESETS if preset == text), None)
        if preset is None:
            raise RecipeRefused(f"preset cannot be {shortened(text, 40)}", fix=f"give one of {', '.join(PRESETS)}")
        self.draft.change(preset=preset)

    def nudge(self, by: int) -> None:
        at = PRESETS.index(self.draft.setup.preset)
        self.draft.change(preset=PRESETS[(at + by) % len(PRESETS)])


class WorkloadRow(RunRow):
    """How inferences are issued."""

    typed = numeric = True

    def value(self) -> str:
        return self.draft.setup.workload.text

    def help(self) -> str:
        """And what the one that is chosen does."""
        workload = self.draft.setup.workload
        return f"{super().help()} {workload.kind}: {inspect.getdoc(type(workload))}"

    def takes(self) -> str:
        return "← → chooses, enter types, e.g. paced 15."

    def put(self, text: str) -> None:
        self.draft.set_workload(text)

    def nudge(self, by: int) -> None:
        self.draft.change(workload=next_workload(self.draft.setup.workload, by))


class PerInputRow(RunRow):
    """How many samples are timed one by one."""

    typed = numeric = True

    def value(self) -> str:
        return self.text() if self.draft.setup.per_input else "none"

    def takes(self) -> str:
        return "A whole number from 0 to 256, e.g. 20."

    def text(self) -> str:
        return str(self.draft.setup.per_input)

    def put(self, text: str) -> None:
        self.draft.set_per_input(text)

    def nudge(self, by: int) -> None:
        at = PER_INPUT.index(self.draft.setup.per_input) if self.draft.setup.per_input in PER_INPUT else 0
        self.draft.change(per_input=PER_INPUT[(at + by) % len(PER_INPUT)])


class GuardRow(RunRow):
    """Whether INT8 is measured beside FP16."""

    def value(self) -> str:
        return next(word for word, on in GUARDS.items() if on == self.draft.setup.guard)

    def takes(self) -> str:
        return "← → chooses, e.g. none."

    def beside(self) -> Sequence[Span]:
        """Elsewhere there is none, whatever is chosen."""
        return [("   where the hardware has it", "dim")] if self.draft.setup.guard else []

    def put(self, text: str) -> None:
        if text not in GUARDS:
            raise RecipeRefused(f"guard cannot be {shortened(text, 40)}", fix=f"give one of {', '.join(GUARDS)}")
        self.draft.change(guard=GUARDS[text])

    def nudge(self, by: int) -> None:
        self.draft.change(guard=not self.draft.setup.guard)


def next_workload(now: Workload, by: int) -> Workload:
    """The workload beside this one."""
    choices = offered()
    at = choices.index(now) if now in choices else 0
    return choices[(at + by) % len(choices)]
