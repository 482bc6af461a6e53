"""Answers for the search for settings: recipes from settings, and what they are worth and cost.

Apart from `mix_answers.py`: here one step takes all layers, and steps are joined.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from ..advice.forecast import size_after
from ..advice.metrics import LIMITED
from ..runs.carrying import Carrier
from ..runs.search_folder import SearchDir
from ..schema.model_facts import ModelFacts
from ..schema.pruning_steps import PruneChannels
from ..schema.search import SearchRequest
from ..schema.step import Step
from ..schema.steps import LowrankSvd, PrecisionFp16, QuantizeInt8, Recipe
from ..search.asked import Checked, CostFigures, Half
from ..search.settings_asked import Knob, Settings
from .run_answers import RunAnswers, checked_figures, cost_figures

CALIBRATORS = ("percentile", "entropy", "mse", "minmax")
CHANNELS = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
FACTORS = (0.5, 0.6, 0.75, 0.85, 1.0)
"""Multiplications that are left in layers made of two factors; 1: none is."""
PLAIN: Settings = {"format": "fp32", "channels": 0.0, "factors": 1.0, "calibrator": "percentile"}


def knobs(*, has_half: bool, mix: bool) -> tuple[Knob, ...]:
    """What can be set; `mix`: a search for formats has found one."""
    formats = ("fp32", *(("fp16",) if has_half else ()), "int8", *(("mix",) if mix else ()))
    return (
        Knob(name="format", choices=formats),
        Knob(name="channels", choices=CHANNELS),
        Knob(name="factors", choices=FACTORS),
        Knob(name="calibrator", choices=CALIBRATORS),
    )


def seeds(*, has_half: bool, mix: bool) -> list[Settings]:
    """What ships, and what was found."""
    found: list[Settings] = [PLAIN | {"format": "int8"}, PLAIN | {"channels": 0.25}, PLAIN | {"factors": 0.75}]
    found.append(PLAIN | {"format": "int8", "channels": 0.25})
    if has_half:
        found.append(PLAIN | {"format": "fp16"})
    if mix:
        found += [PLAIN | {"format": "mix"}, PLAIN | {"format": "mix", "channels": 0.25}]
    return found


def words_of(settings: Settings) -> tuple[str, ...]:
    """`NAME=VALUE` of each, in order."""
    return tuple(f"{name}={value}" for name, value in sorted(settings.items()))


class FoundSettings(RunAnswers):
    """All that a search for settings asks of models; see `search.settings_asked`."""

    def __init__(
        self, folder: SearchDir, asked: SearchRequest, carrier: Carrier, facts: ModelFacts, mix: Sequence[str] | None
    ) -> None:
        """`mix`: nodes that a search for formats left as they are; None: there was none."""
        super().__init__(folder, asked, carrier)
        self._facts, self._mix = facts, mix

    def recipe(self, settings: Settings, number: int) -> Recipe:
        """What does it: channels go first, then layers become two, and formats come last."""
        form, channels, factors = settings["format"], float(settings["channels"]), float(settings["factors"])
        steps: list[Step] = []
        if channels:
            steps.append(PruneChannels(amount=channels))
        if factors < 1:
            steps.append(LowrankSvd(macs=factors))
        if form == "fp16":
            steps.append(PrecisionFp16())
        elif form != "fp32":
            whole = next(step for step in self.asked.spec.recipe.step if isinstance(step, QuantizeInt8))
            exclude = (*whole.exclude, *(self._mix or ())) if form == "mix" else whole.exclude
            steps.append(structs.replace(whole, calibrator=settings["calibrator"], exclude=exclude))
        title = ", ".join(words_of(settings))
        return Recipe(name=f"set-{number}-{form}", title=f"As a search set it: {title}", step=tuple(steps))

    def foretold(self, settings: Settings) -> dict[str, float] | str:
        """See `search.settings_asked.SettingAnswers`."""
        recipe = self.recipe(settings, 0)
        if not recipe.step:
            return "it is FP32 as it came"
        if settings["format"] in ("fp32", "fp16") and settings["calibrator"] != PLAIN["calibrator"]:
            return "there is nothing to calibrate"
        size = size_after(recipe, self._facts, self.asked.spec.backend.name)
        return {} if size is None else {"size_mb": size / LIMITED["size_mb"].scale}

    def check_settings(self, settings: Settings, half: Half) -> Checked:
        """See `search.settings_asked.SettingAnswers`."""
        return checked_figures(self.checked_as(words_of(settings), self.recipe(settings, self.next), half))

    def measure_settings(self, settings: Settings, *, sure: bool) -> CostFigures:
        """See `search.settings_asked.SettingAnswers`."""
        preset = self.asked.spec.preset if sure else "quick"
        return cost_figures(self.measured_as(words_of(settings), self.recipe(settings, self.next), preset))
