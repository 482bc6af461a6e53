"""Answers for the search for settings: recipes from settings, and what they are worth and cost.

Apart from `mix_answers.py`: here one step takes all layers, and steps are joined.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from ..advice.forecast import size_after
from ..advice.goals import parse_goal
from ..advice.metrics import LIMITED
from ..runs.carrying import Carrier
from ..runs.search_folder import SearchDir
from ..schema.model_facts import ModelFacts
from ..schema.pruning_steps import PruneChannels, PruneMagnitude
from ..schema.search import SearchRequest
from ..schema.step import Step
from ..schema.steps import LowrankSvd, PrecisionFp16, QuantizeInt8, Recipe
from ..search.asked import Checked, CostFigures, Half
from ..search.settings_asked import Settings
from .found_spread import FoundSpread
from .run_answers import Candidate, RunAnswers, checked_figures, cost_figures
from .setting_knobs import EVEN, OWN, PLAIN, Offered


class FoundSettings(RunAnswers):
    """All that a search for settings asks of models; see `search.settings_asked`."""

    failure_answers = True

    def __init__(
        self,
        folder: SearchDir,
        asked: SearchRequest,
        carrier: Carrier,
        facts: ModelFacts,
        mix: Sequence[str] | None,
        spread: FoundSpread | None = None,
    ) -> None:
        """`mix`: what a search for formats left as it is; `spread`: what one for channels knows. None: there was none."""
        super().__init__(folder, asked, carrier)
        self._facts, self._mix, self._spread = facts, mix, spread
        limited = [limit.key for limit in parse_goal(asked.goal).limits]
        self.offered = Offered(asked.spec.backend, mix=mix is not None, spread=spread is not None, limited=limited)

    def recipe(self, settings: Settings, number: int) -> Recipe:
        """What does it: channels go first, then layers become two, and formats come last."""
        form, channels, factors = settings["format"], float(settings["channels"]), float(settings["factors"])
        steps: list[Step] = []
        if channels and self._spread is not None and settings["spread"] == OWN:
            steps.append(self._spread.step(channels))
        elif channels:
            steps.append(PruneChannels(amount=channels))
        if factors < 1:
            steps.append(LowrankSvd(macs=factors))
        if zeros := float(settings.get("zeros", 0.0)):
            steps.append(PruneMagnitude(amount=zeros, scope="global"))
        if form == "fp16":
            steps.append(PrecisionFp16())
        elif form != "fp32":
            whole = next(step for step in self.asked.spec.recipe.step if isinstance(step, QuantizeInt8))
            exclude = (*whole.exclude, *(self._mix or ())) if form == "mix" else whole.exclude
            steps.append(structs.replace(whole, calibrator=settings["calibrator"], exclude=exclude))
        title = ", ".join(self.offered.words(settings))
        return Recipe(name=f"set-{number}-{form}", title=f"As a search set it: {title}", step=tuple(steps))

    def foretold(self, settings: Settings) -> dict[str, float] | str:
        """See `search.settings_asked.SettingAnswers`."""
        recipe = self.recipe(settings, 0)
        if not recipe.step and not self.offered.changed(settings):
            return "it is FP32 as it came"
        if settings["format"] in ("fp32", "fp16") and settings["calibrator"] != PLAIN["calibrator"]:
            return "there is nothing to calibrate"
        if settings.get("spread", EVEN) != EVEN and not float(settings["channels"]):
            return "there is nothing to spread"
        size = size_after(recipe, self._facts, self.asked.spec.backend.name)
        return {} if size is None else {"size_mb": size / LIMITED["size_mb"].scale}

    def check_settings(self, settings: Settings, half: Half) -> Checked:
        """See `search.settings_asked.SettingAnswers`."""
        return checked_figures(self.checked_as(self._candidate(settings), half))

    def measure_settings(self, settings: Settings, *, sure: bool) -> CostFigures:
        """See `search.settings_asked.SettingAnswers`."""
        return cost_figures(self.measured_as(self._candidate(settings), self.asked.spec.preset if sure else "quick"))

    def _candidate(self, settings: Settings) -> Candidate:
        offered, recipe = self.offered, self.recipe(settings, self.next)
        of, outputs = offered.words(settings), offered.words(settings, outputs=True)
        return Candidate(of, recipe, offered.backend_of(settings), outputs if outputs != of else ())
