"""Commands that can be typed behind a colon: what every key does by its name, and what takes words.

Words are those of the command line: `set` has the names that a recipe's file and a run's document have.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.dom import DOMNode
from textual.screen import Screen

from ..engine.config import typed_path
from ..engine.errors import ModelRefused, UsageError, nearest
from ..engine.report.width import shortened
from ..engine.schema.steps import STEPS
from .worded import Worded, Words

if TYPE_CHECKING:
    from .desk import Desk
    from .screens.workbench import WorkbenchScreen


def commands(desk: Desk, screen: Screen[object]) -> dict[str, Worded]:
    """What can be typed now: own commands of the screen, of the workbench, and the keys by their names."""
    found: dict[str, Worded] = {}
    for active in screen.active_bindings.values():
        name = active.binding.id
        if name and active.enabled and not name.startswith(("move.", "find")) and name != "command":
            help_ = active.binding.tooltip or active.binding.description
            do = partial(_press, desk, active.binding.action, active.node)
            for each in (name, name.rpartition(".")[2]):
                found.setdefault(each, Worded(each, help_, do, own=False))
    found |= {"q": found["quit"]._replace(name="q")} if "quit" in found else {}
    found |= {each.name: each for each in _anywhere(desk)}
    bench = _bench(desk)
    if bench is not None:
        found |= {each.name: each for each in _of_workbench(desk, bench)}
    own = getattr(screen, "worded", None)
    if own is not None:
        found |= {each.name: each for each in own()}
    return found


def _anywhere(desk: Desk) -> Iterable[Worded]:
    """Pages that the command line prints too."""
    from .screens.page import show_config, show_doctor

    yield Worded("doctor", "what is missing here, and what mends it", lambda _: show_doctor(desk))
    show = partial(show_config, desk)
    yield Worded("draw", "choose what the charts draw, and in which order", partial(_draw, desk))
    yield Worded("deploy", "copy what a run made, here or to a host", partial(_deploy, desk), "[RUN] [PLACE]", 0, 2)
    yield Worded("config", "settings of edgetui.toml, and where they come from", lambda key: show("".join(key)), "[KEY]", 0, 1)


def _draw(desk: Desk, _: Words) -> None:
    from .screens.monitor import MonitorScreen

    if isinstance(desk.screen, MonitorScreen):
        desk.screen.action_draw()
    elif (bench := _bench(desk)) is not None:
        bench.live.action_draw()


def _deploy(desk: Desk, words: Words) -> None:
    from .screens.deploy import open_deploy

    shown = desk.link.view
    if not words and shown is None:
        raise UsageError("no run is shown", fix="write one: its id, a part of it, or `last`")
    open_deploy(desk, words[0] if words else shown.run if shown else "", "".join(words[1:]))


def _press(desk: Desk, action: str, node: DOMNode, _: Words) -> None:
    desk.call_later(desk.act, action, node)


def _bench(desk: Desk) -> WorkbenchScreen | None:
    """The workbench, where it is below what is shown."""
    from .screens.workbench import WorkbenchScreen

    return next((screen for screen in desk.screen_stack if isinstance(screen, WorkbenchScreen)), None)


def _of_workbench(desk: Desk, bench: WorkbenchScreen) -> Iterable[Worded]:
    """Commands with words; typed on another screen they lead back to the workbench."""
    settings, models = bench.settings, bench.models

    def recipes(_: int) -> Iterable[str]:
        return [recipe.name for recipe in settings.draft.recipes] if settings.draft is not None else ()

    def runs(place: int) -> Iterable[str]:
        return ("last", *desk.engine.run_ids()) if place == 0 else ()

    def behind(place: int) -> Iterable[str]:
        return recipes(place) if place == 1 else runs(place)

    def names(place: int) -> Iterable[str]:
        return tuple(settings.named.told()) if place == 0 else ()

    def data_names(place: int) -> Iterable[str]:
        return desk.link.dataset_names() if place == 0 else ()

    def known_models(_: int) -> Iterable[str]:
        return [Path(model.path).stem for folder in models.folders or () for model in folder.models]

    def there(do: Callable[[Words], object], words: Words) -> None:
        while desk.screen is not bench and bench in desk.screen_stack:
            desk.pop_screen()
        do(words)

    def put(words: Words) -> None:
        if len(words) == 1:
            settings.point_at(words[0])
            bench.action_pane("settings")
        else:
            settings.put(words[0], " ".join(words[1:]))

    def open_path(words: Words) -> None:
        if not words:
            bench.browse("a model or data")
            return
        bench.action_pane("settings" if bench.open_path(" ".join(words)) else "models")

    def choose_model(words: Words) -> None:
        wanted = " ".join(words)
        paths = [model.path for folder in models.folders or () for model in folder.models]
        found = [path for path in paths if Path(path).stem == wanted] or [path for path in paths if wanted in path]
        if not found:
            fix = f":open {wanted}" if os.path.isfile(typed_path(wanted)) else nearest(wanted, map(_stem, paths))  # noqa: PTH113
            raise ModelRefused(f"no model here is called `{shortened(wanted, 60)}`", fix=fix)
        models.rewrite(found[0])

    def load(words: Words) -> None:
        settings.put("recipe", words[0])

    def run(words: Words) -> None:
        recipe, boards = _parted_on(words)
        for name in recipe:
            settings.put("recipe", name)
        if boards is None:
            bench.action_run()
        else:
            bench.run_on(boards)

    def on_boards(place: int) -> Iterable[str]:
        from ..engine.fleet.fleet_file import known_names

        return [*(recipes(place) if place == 0 else ()), *(("on",) if place < 2 else ()), *(known_names() if place else ())]

    def after(words: Words) -> None:
        for name in words[1:]:
            settings.put("recipe", name)
        desk.run_in_background(partial(bench.run_after, words[0]), "run")

    def add(words: Words) -> None:
        if words[0] not in STEPS:
            raise UsageError(f"there is no step `{shortened(words[0], 40)}`", fix=nearest(words[0], STEPS))
        settings.around.method = words[0]
        settings.add_step()

    def save(words: Words) -> None:
        from .screens.save_recipe import ask_to_save

        ask_to_save(desk, settings, words[0] if words else "")

    def show(words: Words) -> None:
        desk.run_in_background(partial(bench.show_run, words[0]), "open")

    def take_up(words: Words) -> None:
        desk.run_in_background(partial(bench.resume, words[0]), "resume")

    def compare(words: Words) -> None:
        from .screens.compare import CompareScreen

        desk.push_screen(CompareScreen(words))

    def describe(words: Words) -> None:
        bench.describe(" ".join(words)) if words else bench.action_dataset()

    own = (
        Worded(
            "dataset", "look into a dataset, and describe it in a file", describe, "[PATH]", 0, None, data_names, paths=True
        ),
        Worded("set", "change a setting, or go to it", put, "KEY [VALUE]", 1, None, names),
        Worded("open", "a folder of models, one model, or data; alone: look for one", open_path, "[PATH]", 0, None, paths=True),
        Worded("model", "go to a model", choose_model, "NAME", 1, None, known_models),
        Worded("recipe", "start from a recipe", load, "NAME", 1, 1, recipes),
        Worded("run", "run the model here, or on boards of the fleet", run, "[RECIPE] [on BOARD...]", 0, None, on_boards),
        Worded("after", "run the model once another run has ended well", after, "RUN [RECIPE]", 1, 2, behind),
        Worded("add", "add a step to the recipe", add, "STEP", 1, 1, lambda _: STEPS),
        Worded("save", "save the recipe under a name", save, "[NAME]", 0, 1),
        Worded("show", "show a run, by its id, a part of it, or `last`", show, "RUN", 1, 1, runs),
    )
    yield from (each._replace(do=partial(there, each.do)) for each in own)
    going = desk.link.view
    if going is None or going.state:  # else the key of that name, which asks about the run that is shown
        yield Worded("resume", "take a run up again", take_up, "RUN", 1, 1, runs)
    yield Worded("compare", "runs side by side", compare, "RUN...", 1, None, lambda _: runs(0))


def _parted_on(words: Words) -> tuple[Words, Words | None]:
    """A recipe, and boards where `on` stands behind it; None: it does not.

    Raises:
        UsageError: there is more than one recipe.
    """
    at = next((at for at, word in enumerate(words) if word in ("on", "--on")), len(words))
    if at > 1:
        raise UsageError("`run` takes one recipe", fix="type :run RECIPE, or :run RECIPE on BOARD")
    boards = [name for word in words[at + 1 :] for name in word.split(",") if name]
    return words[:at], None if at == len(words) else boards


def _stem(path: str) -> str:
    return Path(path).stem
