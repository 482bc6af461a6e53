"""The rows of the settings pane and their keys."""

from __future__ import annotations

from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType

from ..widgets.motion import LEFT, RIGHT
from ..widgets.typedrows import EditsRows, TypedRows


class EditsSteps(EditsRows, Protocol):
    """What is done at the cursor's row: the settings pane."""

    def flip(self) -> None:
        """Switch the step on or off."""

    def shift(self, by: int) -> None:
        """Move the step up or down."""

    def drop(self) -> None:
        """Remove the step."""

    def mark(self) -> None:
        """Measure the recipe together with others."""

    def browse(self) -> None:
        """Look for the path of this row."""


class SettingsRows(TypedRows):
    """The rows; while a value is typed they take the keys."""

    EDIT = "settings.edit"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            f"{LEFT},minus", "nudge(-1)", "less", show=False, id="settings.less", tooltip="The value before, or less of it"
        ),
        Binding(f"{RIGHT},plus", "nudge(1)", "more", show=False, id="settings.more", tooltip="The next value, or more of it"),
        Binding("enter", "choose", "edit", id="settings.edit", tooltip="Type a value; switch a step; add the step"),
        Binding(
            "space", "flip", "on/off", id="settings.flip", tooltip="Switch the step of this row on or off; mark the recipe"
        ),
        Binding("o", "browse", "look for", id="settings.browse", tooltip="Look for data in folders, with a preview"),
        Binding("M", "mark", "mark", id="settings.mark", tooltip="Measure this recipe together with others that are marked"),
        Binding("left_square_bracket", "shift(-1)", "move up", show=False, id="settings.up", tooltip="Move the step up"),
        Binding("right_square_bracket", "shift(1)", "move down", show=False, id="settings.down", tooltip="Move the step down"),
        Binding("x,delete", "drop", "remove step", show=False, id="settings.remove", tooltip="Remove the step of this row"),
        Binding("a", "append", "add step", show=False, id="settings.add", tooltip="Go to the row that adds a step"),
    ]

    def __init__(self, pane: EditsSteps) -> None:
        super().__init__(pane, "settings-rows")
        self.pane = pane

    def action_flip(self) -> None:
        """On or off."""
        self.pane.flip()

    def action_shift(self, by: int) -> None:
        """Move the step."""
        self.pane.shift(by)

    def action_drop(self) -> None:
        """Remove the step."""
        self.pane.drop()

    def action_mark(self) -> None:
        """Mark the recipe, or take the mark away."""
        self.pane.mark()

    def action_append(self) -> None:
        """To the row that adds a step."""
        self.point("add")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a path is looked for in folders."""
        return self.pane.browses if action == "browse" else super().check_action(action, parameters)

    def action_browse(self) -> None:
        """Look for the path of this row."""
        self.pane.browse()
