"""One process a search: asks what units do to the outputs and cost, then has the room `search/` find the mix by ordinary runs.

`python -m edgetui.engine.work.search_driver HOME ID`, detached from any terminal. Nothing is computed beside a run that
measures: models and plans are looked into by processes that end before.
"""

from __future__ import annotations

import asyncio
import sys
from functools import cached_property
from pathlib import Path
from typing import cast

import msgspec
from msgspec import structs

from ..advice.goals import Goal, parse_goal
from ..advice.metrics import AIMS
from ..backends.cards import CARDS
from ..errors import EdgetuiError, ModelRefused, RunFailed
from ..library.recipes import recipe_toml
from ..runs.carrying import Carrier, drive_detached
from ..runs.folder import RunDir
from ..runs.kept_rows import keyed
from ..runs.queries import SensitivityQuestion, Side, ask, end_server, plan_of
from ..runs.search_folder import SearchDir, runs_of
from ..schema.failure import Failure
from ..schema.plan import PlanFacts
from ..schema.ready import ready
from ..schema.search import (
    BesideMix,
    CandidateChecked,
    CandidateMeasured,
    CostsFound,
    SearchChoice,
    SearchDocument,
    SearchLine,
    SearchPoint,
    SearchUnit,
    TakenOver,
)
from ..schema.sensitivity import Sensitivity
from ..schema.steps import PrecisionFp16, QuantizeInt8, Recipe
from ..search.asked import Answerers, CannotBeBuilt, EarlierSearch, effects_of
from ..search.find_mix import find_mix
from ..search.mix_answer import MixAnswer
from ..search.mixes import FORMATS, CostTable, Format, Mix, places, total_effect
from .learnt_layers import known_costs, learnt_of, stamp_here
from .mix_answers import MixAnswers
from .mix_costs import QUANTITIES, costs_of, steady, table_of, units_of
from .mix_recipes import excluded, recipe_of
from .run_answers import OutOfBudget
from .settings_search import search_settings
from .shares_search import search_shares

_LOOKS = 3
"""Into each plan that is profiled."""


class Search:
    """A search from its first question to its answer."""

    def __init__(self, folder: SearchDir, carrier: Carrier) -> None:
        self.folder, self.asked = folder, folder.asked()
        self.answers = MixAnswers(folder, self.asked, carrier)
        self.goal: Goal = parse_goal(self.asked.goal)
        self.told: dict[Format, Sensitivity] = {}
        self.warnings: list[str] = []

    def drive(self) -> None:
        """To its answer; what was asked to end has none."""
        try:
            self._sensitivities()
            table, learnt = self._table()
            answerers = Answerers(self.answers, self.answers, self.answers)
            found = find_mix(table, self.goal, answerers, builds=self.asked.builds, learnt=learnt)
        except OutOfBudget:
            if self.answers.out_of_time():
                self._end(self.folder.out_of_time())
            return
        self.folder.add(SearchLine(learnt=learnt_of(found.table, found.mix, self.answers.units, self.stamp)))
        self._end(self._document(found))

    def _end(self, document: SearchDocument) -> None:
        self.folder.add(SearchLine(answer=document))

    # what is known before the search

    @property
    def formats(self) -> tuple[Format, ...]:
        """What units may be in beside FP32."""
        card = CARDS[self.asked.spec.backend.name]
        return ("fp16", "int8") if card.has_half(self.asked.spec.backend) else ("int8",)

    def _sensitivities(self) -> None:
        steps = {"fp16": PrecisionFp16(), "int8": next(s for s in self.asked.spec.recipe.step if isinstance(s, QuantizeInt8))}
        kept = {line.sensitivity.step: line.sensitivity for line in self.folder.found() if line.sensitivity is not None}
        for form in self.formats:
            step = steps[form]
            found = kept.get(step.method)
            if found is None:
                self.answers.say(f"what each unit in {form.upper()} does to the outputs")
                spec = structs.replace(self.asked.spec, recipe=Recipe(name=step.method, title="", step=(step,)))
                answer = asyncio.run(ask(self.folder.home, keyed(SensitivityQuestion(spec=spec)), None))
                found = msgspec.json.decode(answer, type=ready(Sensitivity))
                self.folder.add(SearchLine(sensitivity=found))
            self.told[form] = found
            self.warnings += [text for text in found.warnings if text not in self.warnings]
        end_server()

    def _table(self) -> tuple[CostTable, EarlierSearch]:
        """The table of costs: what a search before has learnt of the same layers, else from plans that are built now."""
        kept = [line.costs for line in self.folder.found() if line.costs is not None]
        taken = next((each for each in kept if each.taken is not None), None)
        if not kept and self.asked.learnt:
            taken, said = known_costs(self.folder, units_of(self.told), self.stamp, self._needed)
            if said:
                self.answers.say(said)
            if taken is not None:
                self.folder.add(SearchLine(costs=taken))
        table = self._anew() if taken is None else table_of(taken)
        if taken is not None:
            self.answers.units = taken.units
        self.answers.begin()
        if all(set(unit.costs) == {"fp32"} for unit in table.units):
            raise ModelRefused("no unit of this model can be put into another format", fix="see `edgetui sensitivity`")
        if taken is None or taken.taken is None:
            return table, EarlierSearch()
        first = tuple(cast("Format", form) for form in taken.taken.first)
        return table, EarlierSearch(anew=self._anew, first=first or None)

    @cached_property
    def stamp(self) -> str:
        """Of this board, for what is learnt on it."""
        return stamp_here(self.asked.spec)

    @property
    def _needed(self) -> frozenset[str]:
        """Quantities that a table has to know."""
        return frozenset({self._quantity, *(limit.key for limit in self.goal.limits if limit.key in QUANTITIES)})

    def _anew(self) -> CostTable:
        """The table from plans of one format that are measured and looked into here."""
        lines = (line.costs for line in self.folder.found())
        kept = next((each for each in lines if each is not None and each.taken is None), None)
        if kept is None:
            if any(line.costs is not None for line in self.folder.found()):
                self.answers.say("what was built is not what the costs foretold that were taken over: they are found here")
            kept = self._costs()
            self.folder.add(SearchLine(costs=kept))
        self.answers.units = kept.units
        return table_of(kept)

    def _costs(self) -> CostsFound:
        """Looked into once, for the search is to see one table from its beginning to its end."""
        whole: dict[Format, CandidateMeasured] = {}
        plans: dict[Format, PlanFacts] = {}
        self.answers.units = units_of(self.told)
        for form in self.formats:
            mix: Mix = tuple(form if form in unit.effects else "fp32" for unit in self.answers.units)
            self.answers.say(f"all units in {form.upper()} are built and measured")
            whole[form] = self.answers.first_measured(mix)
            run = RunDir.find(self.folder.home, whole[form].run)
            plans[form] = self._inside(run, "candidate")
            if "fp32" not in plans:
                plans["fp32"] = self._inside(run, "baseline")
                whole["fp32"] = structs.replace(whole[form], figures=whole[form].baseline)
        end_server()
        return costs_of(plans, self.told, whole)

    def _inside(self, run: RunDir, side: Side) -> PlanFacts:
        result = run.result()
        assert result is not None
        question = plan_of(result, run.asked().spec, side)
        answers = [asyncio.run(ask(self.folder.home, question, None)) for _ in range(_LOOKS)]
        return steady([msgspec.json.decode(answer, type=ready(PlanFacts)) for answer in answers])

    # the answer

    def _document(self, found: MixAnswer) -> SearchDocument:
        table = found.table
        prices = table.prices(found.quantity)
        base = prices.of_mix(table.baseline)
        points = tuple(self._point(each.mix, each.effect, each.cost / base) for each in found.front)
        effects = effects_of(table, self.answers)
        built = tuple(
            self._point(mix, float(total_effect(effects, places([mix]))[0]), prices.of_mix(mix) / base)
            for mix in dict.fromkeys(_mix(each.of) for each in self.answers.measured)
        )
        choice = None if found.mix is None else self._choice(found.mix)
        return SearchDocument(
            search=self.folder.id,
            state="done",
            goal=self.asked.goal,
            choice=choice,
            front=points,
            built=built,
            sensitivity=self._units(),
            checks=found.checks,
            builds=found.builds,
            held_out=None if found.mix is None else self._checked(found.mix, "B"),
            why=found.sentence,
            wrong=tuple(
                f"{each.unit or 'all reformatting'} in {each.form.upper()} takes {each.factor:.3g} times what its profile says"
                for each in found.liars
                if len(each.suspects) == 1  # else it is one of several, and nobody knows which
            ),
            sweep=self.answers.sweep_of(choice),
            taken=self._taken(),
            beside=self._last_beside(found),
            runs=runs_of(self.folder.found()),
            warnings=tuple(self.warnings),
        )

    def _last_beside(self, found: MixAnswer) -> tuple[BesideMix, ...]:
        told = [each for each in self.answers.measured if each.of == found.mix] if found.why == "found" else []
        return told[-1].beside if told else ()

    def _taken(self) -> TakenOver | None:
        kept = [line.costs for line in self.folder.found() if line.costs is not None]
        taken = next((each.taken for each in kept if each.taken is not None), None)
        return None if taken is None else structs.replace(taken, held=all(each.taken is not None for each in kept))

    def _choice(self, mix: Mix) -> SearchChoice:
        if set(mix) == {"fp32"}:
            return SearchChoice(recipe="", run=None)
        run = next((each.run for each in reversed(self.answers.measured) if each.of == mix and each.run), None)
        return SearchChoice(recipe=recipe_toml(recipe_of(mix, self.answers.units, self.asked.spec.recipe, 0)), run=run)

    def _point(self, mix: Mix, effect: float, foretold: float) -> SearchPoint:
        measured = next((each for each in reversed(self.answers.measured) if each.of == mix), None)
        checked = self._checked(mix, "A")
        aim = self._quantity
        return SearchPoint(
            formats={form: mix.count(form) for form in FORMATS if form in mix},
            exclude=excluded(mix, self.answers.units),
            effect=effect,
            foretold=foretold,
            measured=measured.ratios.get(aim) if measured is not None else None,
            difference=checked.difference if checked is not None else None,
            run=measured.run if measured is not None and measured.run else None,
        )

    @property
    def _quantity(self) -> str:
        return AIMS[self.goal.aim].limited_as

    def _checked(self, mix: Mix, half: str) -> CandidateChecked | None:
        return next((each for each in self.answers.checked if each.of == mix and each.half == half), None)

    def _units(self) -> tuple[SearchUnit, ...]:
        found = [
            SearchUnit(unit=row.unit, format=form, kl=row.kl, sqnr_db=row.sqnr_db)
            for form, told in self.told.items()
            for row in told.rows
        ]
        return tuple(sorted(found, key=lambda each: (-(each.kl or 0.0), each.sqnr_db or 1e9)))


def _mix(words: tuple[str, ...]) -> Mix:
    return tuple(cast("Format", word) for word in words)


def drive(folder: SearchDir) -> None:
    """Find the answer of a search, or take it up again.

    Raises:
        StorageRefused: another process drives it.
        EdgetuiError: the model or the data cannot be used, or a run failed.
    """
    carrier = Carrier(folder)
    with carrier.holding("follow it with `edgetui search`"):
        try:
            asked = folder.asked()
            if asked.over == "settings":
                search_settings(folder, asked, carrier)
            elif asked.over == "channels":
                search_shares(folder, asked, carrier)
            else:
                Search(folder, carrier).drive()
        except EdgetuiError as error:
            folder.add(SearchLine(failure=Failure.of("", error)))
            raise
        except CannotBeBuilt as error:
            fix = "see `edgetui runs`, and leave its layers out with `exclude` in a recipe for --recipe"
            failed = RunFailed(f"a mix cannot be built: {error}", fix=fix)
            folder.add(SearchLine(failure=Failure.of("", failed)))
            raise failed from None
        except Exception as error:
            what = f"a defect of edgetui ({type(error).__name__}: {str(error)[:200]})"
            folder.add(SearchLine(failure=Failure(stage="", what=what, fix=f"report {folder.path / 'log.txt'}")))
            raise


def main() -> int:
    """Drive the search named on the command line."""
    folder = SearchDir(Path(sys.argv[1]) / "searches" / sys.argv[2])
    return drive_detached(folder, lambda: drive(folder))


if __name__ == "__main__":
    sys.exit(main())
