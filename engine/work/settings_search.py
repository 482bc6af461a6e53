"""A search over settings, from what is known before it to its document; `search_driver.py` has the one over formats."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from ..advice.goals import parse_goal
from ..advice.metrics import AIMS
from ..library.recipes import recipe_toml
from ..runs.carrying import Carrier
from ..runs.queries import InspectQuestion, ask, end_server
from ..runs.search_folder import SearchDir, points_of, runs_of, search_folders
from ..schema.model_facts import ModelFacts
from ..schema.ready import ready
from ..schema.search import SearchChoice, SearchDocument, SearchLine, SearchRequest
from ..schema.steps import QuantizeInt8
from ..search.find_settings import find_settings
from ..search.settings_asked import SettingsAnswer
from .found_spread import found_spread
from .run_answers import OutOfBudget
from .setting_answers import FoundSettings
from .setting_knobs import Offered


def search_settings(folder: SearchDir, asked: SearchRequest, carrier: Carrier) -> None:
    """Find settings and write the answer into the folder; what was asked to end has none.

    Raises:
        UsageError: Optuna is not installed.
        ModelRefused: the model cannot be read.
        RunFailed: a run failed.
    """
    spec, goal = asked.spec, parse_goal(asked.goal)
    answer = asyncio.run(ask(folder.home, InspectQuestion(model=str(Path(spec.model)), shapes=spec.shapes), None))
    end_server()
    facts = msgspec.json.decode(answer, type=ready(ModelFacts))
    mix = _mix_found(folder, asked)
    if mix is not None:
        folder.add(SearchLine(note=f"the search {mix[0]} left {len(mix[1])} nodes out of integers: that is tried as well"))
    spread = found_spread(folder, asked)
    if spread is not None:
        folder.add(SearchLine(note=f"the search {spread.search} knows what each group of channels does: that is tried as well"))
    answers = FoundSettings(folder, asked, carrier, facts, None if mix is None else mix[1], spread)
    offered = answers.offered
    try:
        found = find_settings(offered.knobs, goal, answers, offered.seeds, asked.builds, spec.seed)
    except OutOfBudget:
        if not answers.out_of_time():
            return
        document = folder.out_of_time()
    else:
        document = _document(folder, asked, answers, found)
    folder.add(SearchLine(answer=document))


def _mix_found(folder: SearchDir, asked: SearchRequest) -> tuple[str, tuple[str, ...]] | None:
    """What the newest search for formats of the same model chose, and its id."""
    for other in search_folders(folder.home):
        if other.id == folder.id or other.state() != "done":
            continue
        before = other.asked()
        chosen = other.document().choice
        if before.over != "formats" or before.model_sha256 != asked.model_sha256 or chosen is None or not chosen.run:
            continue
        for run in (run for members in other.runs().values() for run in members.values()):
            if run.name == chosen.run:
                step = next((each for each in run.asked().spec.recipe.active if isinstance(each, QuantizeInt8)), None)
                return None if step is None or not step.exclude else (other.id, step.exclude)
    return None


def _document(folder: SearchDir, asked: SearchRequest, answers: FoundSettings, found: SettingsAnswer) -> SearchDocument:
    lines, quantity = folder.found(), AIMS[parse_goal(asked.goal).aim].limited_as
    choice, held_out = None, None
    if found.settings is not None:
        offered = answers.offered
        words, outputs = offered.words(found.settings), offered.words(found.settings, outputs=True)
        run = next((each.run for each in reversed(answers.measured) if each.of == words), None)
        recipe = answers.recipe(found.settings, 0)
        choice = SearchChoice(
            recipe=recipe_toml(recipe) if recipe.step else "",
            run=run,
            settings={name: str(value) for name, value in offered.changed(found.settings).items()},
        )
        held_out = next((each for each in answers.checked if each.of == outputs and each.half == "B"), None)
    return SearchDocument(
        search=folder.id,
        state="done",
        goal=asked.goal,
        over="settings",
        choice=choice,
        built=tuple(points_of(lines, quantity).values()),
        checks=found.checks,
        builds=found.builds,
        held_out=held_out,
        why=_sentence(found, quantity, answers.offered),
        sweep=answers.sweep_of(choice),
        runs=runs_of(lines),
    )


def _sentence(found: SettingsAnswer, quantity: str, offered: Offered) -> str:
    if found.settings is not None and found.cost is not None:
        low, high = (f"{end:.3g}" for end in found.cost[1:])
        return (
            f"{', '.join(offered.words(found.settings))}: {found.cost.value:.3g} of FP32's {quantity} (95 %: {low} to {high})"
        )
    if found.why == "none":
        near = found.nearest
        short = "" if near is None else ", ".join(key for key, excess in near.excess.items() if excess > 0)
        return "none reaches it" + (
            "" if near is None else f"; nearest is {', '.join(offered.words(near.settings))}, short of {short}"
        )
    said = {
        "refuted": "what one half of the data bore out the other half did not",
        "not shown": f"no settings are shown to have less {quantity}",
    }
    return f"FP32: {said.get(found.why, '')}"
