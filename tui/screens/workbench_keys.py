"""The workbench's keys: what can be done from any of its panes."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from .headlines import TABS, WORDS

KEYS: list[BindingType] = [
    Binding("tab", "next_pane(1)", "next", id="pane.next", tooltip="Focus the next pane"),
    Binding("shift+tab", "next_pane(-1)", "previous pane", id="pane.previous", show=False, tooltip="Focus the pane before"),
    *[
        Binding(str(n), f"pane('{name}')", WORDS[name], id=f"pane.{name}", show=False, tooltip=f"Go to the pane {WORDS[name]}")
        for n, name in enumerate(TABS, 1)
    ],
    Binding("r", "run", "run", id="run", tooltip="Run the highlighted model with this recipe"),
    Binding("c", "cancel", "cancel", id="cancel", tooltip="End the run that is shown; asks first"),
    Binding("ctrl+r", "resume", "resume", id="resume", show=False, tooltip="Take an interrupted run up again"),
    Binding("v", "member", "member", id="member", tooltip="The next of the runs that were started together"),
    Binding("R", "runs", "runs", id="runs", tooltip="All runs: open, compare, resume"),
    Binding("P", "studies", "studies", id="studies", show=False, tooltip="Papers, done again here: their figures beside ours"),
    Binding("L", "layers", "layers", id="layers", show=False, tooltip="What is inside the plans of the run that is shown"),
    Binding(
        "e",
        "sensitivity",
        "sensitivity",
        id="sensitivity",
        show=False,
        tooltip="What compressing each layer does to outputs",
    ),
    Binding("m", "monitor", "monitor", id="monitor", tooltip="All sensors and their past: record, mark, watch alerts"),
    Binding("u", "undo", "undo", id="undo", show=False, tooltip="Take the last change of the settings back"),
    Binding("s", "save", "save recipe", id="save", show=False, tooltip="Save the recipe under a name"),
    Binding("p", "pause", "pause", id="pause", tooltip="Stop the charts; the data go on"),
    Binding("w", "window", "window", id="window", show=False, tooltip="Show more or less of the past"),
    Binding("l", "pane('log')", "log", id="log", show=False, tooltip="Go to the log"),
    Binding("y", "copy", "copy", id="copy", show=False, tooltip="Copy the run's table to the clipboard of your terminal"),
]
