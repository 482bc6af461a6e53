"""Saving the recipe that is edited: under a name that is asked for, over a file only after a yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.errors import EdgetuiError
from .dialogs import Ask, Confirm, check_name

if TYPE_CHECKING:
    from ..desk import Desk
    from ..draft import Draft
    from ..panes.settings import SettingsPane


def ask_to_save(desk: Desk, settings: SettingsPane, name: str = "") -> None:
    """Save the recipe under that name; without one it is asked for.

    Raises:
        RecipeRefused: the name cannot be that of a file.
    """
    draft = settings.draft
    if draft is None:
        return

    def take(chosen: str | None) -> None:
        if chosen:
            _unless_there(desk, settings, draft, chosen)

    if name:
        take(check_name(name))
    else:
        desk.push_screen(Ask("Save this recipe as", draft.recipe.name, check_name, replaces=True, example="int8-mine"), take)


def _unless_there(desk: Desk, settings: SettingsPane, draft: Draft, name: str) -> None:
    if not desk.link.has_own_recipe(name):
        _save(desk, settings, draft, name)
        return

    def answer(yes: bool | None) -> None:
        if yes:
            _save(desk, settings, draft, name)

    desk.push_screen(Confirm(f"Write over your recipe {name}?", "What its file holds now is gone for good."), answer)


def _save(desk: Desk, settings: SettingsPane, draft: Draft, name: str) -> None:
    try:
        path = desk.link.save_recipe(draft.named(name))
    except EdgetuiError as error:
        desk.show_error(error)
        return
    draft.recipes = desk.engine.recipes()
    draft.load(name)
    settings.rewrite()
    desk.notify(f"saved {path}")
