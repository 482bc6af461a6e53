"""What the search for settings asks of whoever compresses and measures, and its answer as values.

Apart from `asked.py`, whose questions are about mixes of formats: settings are names with values.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from .asked import Bounds, Checked, CostFigures, Half

Value = float | str
Settings = dict[str, Value]
"""A value for each knob."""


class Knob(Struct, frozen=True, kw_only=True):
    """Something that can be set."""

    name: str
    choices: tuple[Value, ...]
    """Numbers stand in rising order; what is near in it is taken to do nearly the same. Words stand for themselves."""

    @property
    def ordered(self) -> bool:
        """Whether they are numbers."""
        return all(isinstance(each, int | float) for each in self.choices)


class SettingAnswers(Protocol):
    """Who compresses, checks and measures."""

    def foretold(self, settings: Settings) -> dict[str, float] | str:
        """Figures that are known without a build, by the words of goals, in their units; or why it cannot be built at all."""
        ...

    def check_settings(self, settings: Settings, half: Half) -> Checked:
        """Accuracy beside the baseline's, sample by sample.

        Raises:
            CannotBeBuilt: that was found out by trying.
        """
        ...

    def measure_settings(self, settings: Settings, *, sure: bool) -> CostFigures:
        """In turns with the baseline as it was asked for: quickly, or as well as it is to be claimed.

        Raises:
            CannotBeBuilt: that was found out by trying.
        """
        ...


Outcome = Literal["measured", "too far", "hopeless", "not good enough", "cannot be built"]
"""How far settings came: all the way; a limit is beyond what is foretold of them; what others came to speaks against them;
half A does not bear them out."""


class TriedSettings(Struct, frozen=True, kw_only=True):
    """What is known of some settings."""

    settings: Settings
    outcome: Outcome
    excess: dict[str, float] = {}
    """By how much each limit is not kept; below 0: it is. Quality as a share, others as a share of the limit."""
    cost: Bounds | None = None
    """Over FP32's; None: they were not measured."""
    why: str = ""

    @property
    def keeps(self) -> bool:
        """Whether all limits are kept, and it was measured."""
        return self.cost is not None and all(each <= 0 for each in self.excess.values())


SettingsWhy = Literal["found", "none", "refuted", "not shown"]
"""Found, held on half B and measured again; nothing that was tried keeps the limits; half B did not bear out what A did; no
cost is shown to be less than FP32's."""


class SettingsAnswer(Struct, frozen=True, kw_only=True):
    """What serves the goal."""

    settings: Settings | None
    """None: FP32 where it keeps the goal, else nothing does."""
    why: SettingsWhy
    cost: Bounds | None = None
    figures: dict[str, float] = {}
    held_out: Checked | None = None
    nearest: TriedSettings | None = None
    """Where nothing keeps the limits: what is least beyond the limit that it is farthest beyond."""
    tried: tuple[TriedSettings, ...] = ()
    checks: int = 0
    builds: int = 0
