"""Models on the left: the folders of edgetui.toml with a filter, and what is in the highlighted model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from ...engine.advice.words import count, percent, reads, size
from ...engine.config import shown_path, typed_path
from ...engine.report.width import shortened, width_of
from ..fix_words import as_row
from ..widgets.entry import Entry, begins_typing
from ..widgets.lines import Details, Line, Rows, hanging, wrap
from ..widgets.motion import LEFT, RIGHT
from .pane import Pane, Parts

if TYPE_CHECKING:
    from ...engine.api import Folder
    from ...engine.schema.model_facts import ModelFacts, TensorFacts

DTYPES = {"float": "f32", "float16": "f16", "double": "f64", "int64": "i64", "int32": "i32", "uint8": "u8", "int8": "i8"}


class ModelRows(Rows):
    """The tree of folders, and the filter while it is typed."""

    filtered = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEFT, "fold(True)", "fold", show=False, id="models.fold", tooltip="Fold the folder"),
        Binding(RIGHT, "fold(False)", "unfold", show=False, id="models.unfold", tooltip="Unfold it"),
    ]

    class Folded(Message):
        """The folder under the cursor shall be folded, or not."""

        def __init__(self, folded: bool) -> None:
            super().__init__()
            self.folded = folded

    def __init__(self) -> None:
        super().__init__(id="models-tree")
        self.entry: Entry | None = None

    def action_fold(self, folded: bool) -> None:
        """Say so to the pane."""
        self.post_message(self.Folded(folded))


class ModelsPane(Pane):
    """Folders, models, and details of the highlighted one."""

    class FolderWanted(Message):
        """Another folder shall be shown; the workbench asks which."""

    TITLE = "Models"
    EXAMPLE = "/ resnet enter leaves the models with resnet in their path; :open ~/field/week47 adds a folder."
    HELP = (
        "The .onnx files of the folders in edgetui.toml. The highlighted model is the one that a run takes.\n"
        "Enter on a folder folds it, and so do ← and →. Below: inputs and outputs,\n"
        "parameters, multiply-accumulates of one inference, the share of zeros, operators, the weights' histogram, and which\n"
        "backends read the model."
    )
    PARTS: ClassVar[Parts] = {
        "models-details": (
            "All that is known of the model under the cursor.",
            "/ conv enter goes to the first row with that in it, n to the next.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="models.filter", tooltip="Show only models whose path has these letters"),
        Binding("o", "open", "open", id="models.open", tooltip="Look for models and data in folders, with a preview"),
        Binding("d", "details", "details", id="models.details", tooltip="All of what is known about the model, to scroll"),
        Binding("f5", "reload", "read again", id="models.reload", show=False, tooltip="Look into the folders again"),
    ]

    class Picked(Message):
        """Another model is highlighted; "" when there is none."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    def __init__(self) -> None:
        super().__init__(id="models", classes="pane")
        self.folders: tuple[Folder, ...] | None = None
        """None: not looked into yet."""
        self.folded: set[str] = set()
        self.model = ""
        self.facts: ModelFacts | None = None
        self.note = ""
        self.filter_text = ""
        self.typing = False

    def compose(self) -> ComposeResult:
        """The tree above, the details below."""
        self.tree_rows = ModelRows()
        self.details = Details(id="models-details", classes="-empty")
        yield self.tree_rows
        yield self.details

    def on_resize(self) -> None:
        """Sizes stand at the right edge."""
        self.rewrite()
        self.show_details()

    def take(self, folders: tuple[Folder, ...], point_at: str = "") -> None:
        """Show these folders; `point_at`: a model, or a folder, whose first model is pointed at."""
        self.folders = folders
        for folder in folders if point_at else ():
            inside = [model.path for model in folder.models]
            opened = point_at == str(typed_path(folder.path))
            if opened or point_at in inside:
                self.folded.discard(folder.path)
                point_at = point_at if not opened else inside[0] if inside else f"folder:{folder.path}"
                break
        self.rewrite(point_at or None)

    def rewrite(self, cursor: str | None = None) -> None:
        """Write the tree."""
        if self.folders is None:
            return
        if self.tree_rows.entry is not None:
            self.filter_text = self.tree_rows.entry.text
        elif cursor and self.filter_text.lower() not in cursor.lower():
            self.filter_text = ""  # what is pointed at must be in sight
        rows: list[tuple[str, Line]] = []
        if self.typing and self.tree_rows.entry is not None:
            rows.append(("", (("/ ", "accent"), *self.tree_rows.entry.spans())))
        elif self.filter_text:
            rows.append(
                (
                    "",
                    (
                        ("/ ", "dim"),
                        (self.filter_text, ""),
                        (f"   {self.key('models.filter', '/')} changes it, esc shows all", "dim"),
                    ),
                )
            )
        width = max(12, self.tree_rows.size.width - 2)
        total = 0
        for folder in self.folders:
            found, lines = self._folder(folder, width)
            total += found
            rows += lines if found or not self.filter_text else []
        if not total:
            rows += self._empty(width)
        models = [key for key, _ in rows if key and not key.startswith("folder:")]
        here = cursor or self.tree_rows.cursor
        if not here or (self.typing and here not in models):  # what a run would take must be in sight
            cursor = models[0] if models else None
        self.tree_rows.fill(rows, cursor)
        if self.typing:  # in the first row, which the cursor's place may have scrolled away
            self.tree_rows.scroll_rows(-self.tree_rows.top)
        self.border_subtitle = f"{total} model{'' if total == 1 else 's'}" if total else ""
        known = {model.path for folder in self.folders for model in folder.models}
        gone = self.model not in known and not models  # a run must not take what is listed no longer
        self._picked("" if gone else self.tree_rows.cursor)

    def _folder(self, folder: Folder, width: int) -> tuple[int, list[tuple[str, Line]]]:
        root = f"{typed_path(folder.path)}{os.sep}"
        name = shortened(shown_path(folder.path), width - 2)
        models = [m for m in folder.models if self.filter_text.lower() in m.path.lower()]
        folded = folder.path in self.folded
        rows: list[tuple[str, Line]] = [(f"folder:{folder.path}", ((f"{'▸' if folded else '▾'} {name}", "dim"),))]
        if folder.error:
            rows += [
                ("", line)
                for line in hanging((("    ", ""),), f"{folder.error}; make it, or press {self._open_key}", width, "warn")
            ]
        for model in () if folded else models:
            shown = model.path.removeprefix(root).removesuffix(".onnx")
            bytes_text = size(model.size_bytes)
            room = max(4, width - 5 - len(bytes_text))
            shown = shortened(shown, room)
            style = "value" if model.path == self.model else ""
            rows.append((model.path, ((f"  {shown}{' ' * (room - width_of(shown))} ", style), (bytes_text, "dim"))))
        return len(models), rows

    @property
    def _open_key(self) -> str:
        return self.key("models.open", "o")

    def _empty(self, width: int) -> list[tuple[str, Line]]:
        if self.filter_text:
            words: tuple[str, ...] = (f"no model has `{self.filter_text}` in its path",)
        else:
            first = self.folders[0].path if self.folders else "a folder of edgetui.toml"
            words = ("no models yet:", f"put .onnx files into {first},", f"or press {self._open_key} to open a folder")
        return [("", ()), *(("", line) for text in words for line in hanging((("  ", ""),), text, width, "dim"))]

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Tell which model is meant."""
        event.stop()
        self._picked(event.key)

    def _picked(self, key: str) -> None:
        if key.startswith("folder:") or key == self.model:
            return
        self.model, self.facts, self.note = key, None, "reading …" if key else ""
        self.rewrite()
        self.show_details()
        self.post_message(self.Picked(key))

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Fold a folder."""
        event.stop()
        if event.key.startswith("folder:"):
            self.folded ^= {event.key.removeprefix("folder:")}
            self.rewrite()

    def on_model_rows_folded(self, event: ModelRows.Folded) -> None:
        """Fold the folder that the cursor stands on, or in."""
        event.stop()
        at = self.tree_rows.cursor
        for folder in self.folders or ():
            if at == f"folder:{folder.path}" or at in (model.path for model in folder.models):
                (self.folded.add if event.folded else self.folded.discard)(folder.path)
                self.rewrite(f"folder:{folder.path}" if event.folded else None)

    def on_key(self, event: events.Key) -> None:
        """Typing goes into the filter, also what follows at once while the focus is still in the details."""
        entry = self.tree_rows.entry
        if entry is None:
            if begins_typing(self.screen, event, "models.filter"):
                self.action_filter()
            elif event.key == "escape" and self.filter_text and not self.details.has_focus:
                self.filter_done(keep=False)
            else:
                return
        elif event.key in ("escape", "enter"):
            self.filter_done(event.key == "enter")
        elif entry.press(event):
            self.rewrite()
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted goes into the filter."""
        if self.tree_rows.entry is not None:
            event.stop()
            self.tree_rows.entry.insert(event.text.strip())
            self.rewrite()

    def action_filter(self) -> None:
        """Type a filter."""
        self.tree_rows.focus()
        self.tree_rows.entry = Entry(self.filter_text)
        self.typing = True
        self.screen.refresh_bindings()
        self.rewrite()

    def filter_done(self, keep: bool) -> None:
        """Enter keeps the filter, escape clears it."""
        self.filter_text = self.filter_text if keep else ""
        self.tree_rows.entry = None
        self.typing = False
        self.screen.refresh_bindings()
        self.rewrite()

    def action_open(self) -> None:
        """Ask for a folder."""
        self.post_message(self.FolderWanted())

    def action_reload(self) -> None:
        """Look into the folders again."""
        self.take(self.desk.engine.models())

    # details

    def _give_room(self) -> None:
        super()._give_room()
        self.show_details()

    def tell(self, model: str, facts: ModelFacts | None, note: str = "") -> None:
        """Show what was found in a model, if it is still the highlighted one."""
        if model == self.model:
            self.facts, self.note = facts, note
            self.show_details()

    def show_details(self) -> None:
        """Write the lower half."""
        width = max(10, (self.details.size.width or self.size.width) - 2)
        if self.facts is not None:
            lines = facts_lines(self.facts, width, ascii_only=self.desk.graph == "ascii", full=self.details.has_focus)
        else:
            name = shortened(Path(self.model).name, width)
            lines = [((f" {name}", "title"),), *(((f" {text}", "dim"),) for text in wrap(self.note, width))]
        self.details.show(lines if self.model else [])
        self.details.set_class(not self.model, "-empty")


def _axis(low: float, high: float, columns: int) -> str:
    """The ends of the histogram's axis, and 0 where it is, if there is room for it."""
    first, last = f"{low:.2g}", f"{high:.2g}"
    gap = " " * max(1, columns - len(first) - len(last))
    zero = round(-low / (high - low) * (columns - 1)) - len(first) if low < 0 < high else -1
    if 0 < zero < len(gap) - 1:
        gap = f"{gap[:zero]}0{gap[zero + 1 :]}"
    return first + gap + last


def facts_lines(facts: ModelFacts, width: int, *, ascii_only: bool, full: bool = False) -> list[Line]:
    """A model's facts in rows of `width`; `full`: every input, operator and refusal."""
    most = 1000 if full else 3
    zeros = 1 - facts.nonzero / facts.parameters if facts.parameters else None
    lines: list[Line] = [
        ((f" {shortened(facts.name, width)}", "title"),),
        ((" opset ", "dim"), (f"{facts.opset}", "value"), ("   parameters ", "dim"), (count(facts.parameters), "value")),
        ((" MACs ", "dim"), (count(facts.macs), "value"), ("   zeros ", "dim"), (percent(zeros), "value")),
    ]
    for tensors, arrow in ((facts.inputs, "in "), (facts.outputs, "out")):
        lines += [((f" {arrow} ", "dim"), (t.name, "value"), (f"  {shape_words(t)}", "dim")) for t in tensors[:most]]
    operators = "  ".join(f"{name} {n}" for name, n in facts.operators.items())
    lines += [((f" {text}", ""),) for text in wrap(operators, width)[: most - 1]]
    if facts.histogram:
        from ..widgets.histogram import bars

        lines.append(((" weights", "dim"),))
        room = min(width, 32)
        lines += [((f" {row}", "accent"),) for row in bars(facts.histogram, room, 2, "ascii" if ascii_only else "braille")]
        lines.append(((f" {_axis(facts.histogram_low, facts.histogram_high, min(room, len(facts.histogram)))}", "dim"),))
    for backend, refusals in facts.refusals.items():
        if refusals:
            for refusal in refusals[: most - 2]:
                lines += hanging(((f" ✗ {backend} ", "bad"),), refusal.said(as_row), width, "dim")[:most]
        else:
            lines.append(((" ✓ ", "good"), (f"{backend} {reads(facts, backend)}", "dim")))
    return lines


def shape_words(tensor: TensorFacts) -> str:
    """`f32 [batch,3,32,32]`."""
    axes = ",".join("?" if axis is None else str(axis) for axis in tensor.shape)
    return f"{DTYPES.get(tensor.dtype, tensor.dtype)} [{axes}]"
