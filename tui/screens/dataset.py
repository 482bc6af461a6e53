"""Describing a dataset: what is found in it and how the model is fed stand beside the fields of its file, written at the end.
What is asked of data and model is done by a process of its own; whoever leaves the screen, or asks again, ends it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.screen import Screen

from ...engine.config import typed_path
from ...engine.errors import DataRefused, EdgetuiError, ModelRefused
from ...engine.library.folder_entries import EntryKind
from ..ascii_letters import keys_in_words
from ..background import in_background, refusal
from ..dataset_draft import DatasetDraft, fed_as, pixel_words
from ..desk import AtDesk
from ..fields import NONE
from ..fix_words import on_screen
from ..panes.dataset_lines import PICTURE, probe_lines, shows_pictures
from ..panes.dataset_rows import FILE, FILED, LABEL, MODEL, PATH, WRITE, DatasetRow, DatasetRows, listed
from ..panes.pane import Parts
from ..setups import descriptions
from ..widgets.keybar import KeyBar
from ..widgets.lines import Details, Line, Lines, Rows, hanging
from .safe_dismiss import SafeDismiss, dismiss_once

if TYPE_CHECKING:
    from ...engine.schema.dataset_probe import DatasetProbe
    from ...engine.schema.events import AnyEvent
    from .browse import Take, Wanted

NARROW = 110
"""Columns below which what is found stands below the fields."""


class DatasetScreen(AtDesk, SafeDismiss, Screen[None]):
    """Fields on the left, what is found on the right."""

    CSS_PATH = "dataset.tcss"
    EXAMPLE = ":dataset ~/cifar10 looks into a folder; enter on the last row writes its description and uses it."
    HELP = (
        "What is in a dataset: kind, samples, classes with counts, sizes and colours, a few pictures. With a model: what\n"
        "of it fits, and FP32's top-1 on some samples fed in each of the usual ways, with its 95 % interval. The best is\n"
        "proposed, and its accuracy told over samples that did not choose it; where none is better than guessing, nothing is.\n"
        "← → or enter change a field, o looks for a path in folders, r looks again with what stands there, u takes the last\n"
        "change back. The last row writes the file and takes it as the data of the next run. `edgetui dataset` does the same."
    )
    PARTS: ClassVar[Parts] = {
        "dataset-found": (
            "What was found in the data, and how the model did with each way to feed it.",
            "G goes to the last samples, / classes enter to their counts.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "browse", "look for", id="dataset.browse", tooltip="Look for the path of this row in folders"),
        Binding("r", "again", "try again", id="dataset.again", tooltip="Look again, with the fields as they stand"),
        Binding("w", "write", "write", id="dataset.write", tooltip="Write the file, and use it for the next run"),
        Binding("u", "undo", "undo", id="dataset.undo", tooltip="Take the last change of the fields back"),
        Binding("d", "details", "found", id="dataset.details", tooltip="Scroll in what was found"),
        Binding("y", "copy", "copy", id="dataset.copy", show=False, tooltip="Copy the description to the clipboard"),
        Binding("escape", "back", "back", id="dataset.back", tooltip="Leave; nothing is written"),
    ]

    def __init__(
        self,
        path: str,
        model: str,
        shapes: Mapping[str, tuple[int, ...]],
        taken: Callable[[str], None],
        find: Callable[[Wanted, Take], None],
    ) -> None:
        """`path`: data to begin with, or empty. `taken` gets the file that was written; `find` looks for data or a model."""
        super().__init__()
        self.path, self.model, self.shapes, self.taken, self.find = path, model, dict(shapes), taken, find
        self.draft: DatasetDraft | None = None
        self.found: DatasetProbe | None = None
        self.file = ""
        self.complaint = self.trouble = self.doing = ""

    def compose(self) -> ComposeResult:
        """Title, fields with their help and the file as it would be, what was found, keys."""
        yield Lines(id="dataset-title")
        with Container(id="dataset-body"):
            with Vertical(id="dataset-left"):
                yield DatasetRows(self, "dataset-rows")
                yield Lines(id="dataset-help")
                yield Lines(id="dataset-toml")
            yield Details(id="dataset-found")
        yield KeyBar()

    @property
    def rows(self) -> DatasetRows:
        """The fields."""
        return self.query_one(DatasetRows)

    def on_mount(self) -> None:
        """Look at what there is to begin with."""
        self.rows.focus()
        self.rewrite()
        if self.path:
            self.open(self.path)

    def on_resize(self, event: events.Resize) -> None:
        """Side by side, or below."""
        self.set_class(event.size.width < NARROW, "-narrow")
        self.call_after_refresh(self.rewrite)

    def on_descendant_focus(self) -> None:
        """What was found has more room while it is read."""
        self.set_class(self.query_one(Details).has_focus, "-reading")

    # what is asked

    def open(self, path: str) -> None:
        """Look at other data."""

        async def read() -> None:
            try:
                dataset = await asyncio.to_thread(self.desk.link.described, path)
            except (EdgetuiError, OSError) as error:
                self.draft, self.found, self.trouble = None, None, on_screen(refusal(error))
                self.rewrite()
                return
            self.draft, self.trouble = DatasetDraft(dataset), ""
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", dataset.name).strip("-.") or "dataset"
            self.file = str(descriptions() / f"{name}.toml")
            await self._probe()

        self.path, self.found = path, None
        in_background(self, read, "dataset-probe")

    def action_again(self) -> None:
        """Look again, with the fields as they stand."""
        if self.draft is None and self.path:
            self.open(self.path)
        elif self.draft is not None:
            in_background(self, self._probe, "dataset-probe")

    async def _probe(self) -> None:
        """First the data alone, which is soon done, then beside the model."""
        from ...engine.api import DatasetQuestion

        assert self.draft is not None
        pictures = PICTURE if shows_pictures(self.desk) else 0
        self.trouble = ""
        try:
            for model in dict.fromkeys(("", self.model)):
                self.doing = f"trying {Path(model).name} …" if model else "looking …"
                self.rewrite()
                asked = DatasetQuestion(dataset=self.draft.dataset, model=model, shapes=self.shapes, shown=12, picture=pictures)
                self.found = await self.desk.link.probe_dataset(asked, self._heard)
                if model:
                    self.draft.change(self.found.dataset)
        except (EdgetuiError, OSError) as error:
            self.trouble = on_screen(refusal(error))
        self.doing = ""
        self.rewrite()
        if self.found is not None and not self.found.refusals and not self.trouble and self.rows.cursor in (PATH, ""):
            self.rows.point(WRITE)

    def _heard(self, event: AnyEvent) -> None:
        from ...engine.schema.events import Progress

        if isinstance(event, Progress) and event.total:
            self.doing = f"▶ {event.done:g} of {event.total:g} {event.text}"
            self._write_title()

    # what is drawn

    def _listed(self) -> list[DatasetRow]:
        return listed(self.draft, self.found, self.path, self.model, self.file)

    @property
    def _here(self) -> DatasetRow | None:
        return next((row for row in self._listed() if row.key == self.rows.cursor), None)

    def rewrite(self) -> None:
        """Draw everything."""
        rows = self.rows
        room = max(8, rows.size.width - LABEL - 6)
        entry = rows.entry.spans() if rows.entry is not None else None
        rows.fill([(row.key, row.line(room, entry, here=row.key == rows.cursor)) for row in self._listed()])
        self._write_help()
        self._write_toml()
        self._write_found()
        self._write_title()

    def _write_title(self) -> None:
        self.query_one("#dataset-title", Lines).show(
            [((" edgetui  Describe a dataset", "title"), (f"   {self.doing}", "accent"))]
        )

    def _write_help(self) -> None:
        row, width = self._here, max(20, self.rows.size.width - 2)
        text = keys_in_words(row.help, self.desk.graph) if row is not None else ""
        lines = (
            hanging(((" ✗ ", "bad"),), self.complaint, width, "bad")
            if self.complaint
            else hanging(((" ", ""),), text, width, "dim")
        )
        self.query_one("#dataset-help", Lines).show(lines)

    def _write_toml(self) -> None:
        lines: list[Line] = []
        if self.draft is not None:
            width = max(20, self.rows.size.width - 2)
            if self.draft.dataset.images:
                lines += hanging(((" ", ""),), pixel_words(self.draft.dataset.input), width, "dim")
            lines += [row for line in self._toml().splitlines() for row in hanging(((" ", ""),), line, width)]
        self.query_one("#dataset-toml", Lines).show(lines)

    def _toml(self) -> str:
        """The file as it would be."""
        from ...engine.library.dataset_file import dataset_toml

        return "" if self.draft is None else dataset_toml(self.draft.dataset, Path(self.file))

    def _write_found(self) -> None:
        details = self.query_one(Details)
        width = max(20, details.size.width - 2)
        if self.trouble:
            details.show(hanging(((" ✗ ", "bad"),), self.trouble, width, "bad"))
        elif self.found is None:
            words = (
                self.doing
                or "enter types a path, o looks for one in folders: a folder or zip of images, an .npz, a .tsv, a .toml"
            )
            details.show(hanging(((" ", ""),), words, width, "dim"))
        else:
            trying = self.doing if self.model and self.found.model is None else ""
            first = self.has_class("-narrow") and not self.doing  # what is proposed is to be seen at once
            details.show(probe_lines(self.found, width, trying, tried_first=first))

    # what is changed

    def types_here(self) -> bool:
        """Whether the value of this row is typed."""
        return self._here is not None and self._here.typed

    @property
    def browses(self) -> bool:
        """Whether the value of this row is a path."""
        return self.rows.cursor in (PATH, MODEL, FILE)

    def begins_with_digit(self) -> bool:
        """Numbers begin with a digit."""
        here = self._here
        return here is not None and here.field is not None and here.field.field.kind in ("number", "numbers", "sizes")

    def text_here(self) -> str:
        """The value as it is typed."""
        return "" if self._here is None or self._here.value == NONE else self._here.value

    def commit(self) -> None:
        """Take what was typed; if it cannot be, the typing goes on."""
        row, entry = self._here, self.rows.entry
        if row is None or entry is None:
            return
        self._do(partial(self._put, row, entry.text.strip()))
        if not self.complaint:
            self.rows.end()

    def _put(self, row: DatasetRow, text: str) -> None:
        if row.field is not None and self.draft is not None:
            if self.draft.type_in(row.field, text):
                self._changed(row.field.field.name)
        elif row.key == PATH:
            self.open(text)
        elif row.key == MODEL:
            if text and not typed_path(text).is_file():
                raise ModelRefused(f"there is no file {text}", fix="check the path, or leave it empty")
            self.model = str(typed_path(text).absolute()) if text else ""
            self.action_again()
        elif row.key == FILE:
            self.file = str(typed_path(text).absolute())

    def nudge(self, by: int) -> None:
        """The next value, or the one before."""
        row = self._here
        if row is not None and row.marked:
            self._do(partial(self._nudge, row, by))

    def _nudge(self, row: DatasetRow, by: int) -> None:
        assert self.draft is not None
        if row.field is not None:
            if self.draft.nudge(row.field, by):
                self._changed(row.field.field.name)
        elif self.found is not None:
            names = [way.name for way in self.found.tried]
            now = fed_as(self.draft.dataset, self.found)
            at = names.index(now.name) + by if now is not None else 0
            self.draft.feed_as(self.found.tried[at % len(names)])

    def _changed(self, name: str) -> None:
        if name in FILED:
            self.action_again()

    def _do(self, change: Callable[[], None]) -> None:
        self.complaint = ""
        try:
            change()
        except (EdgetuiError, OSError) as error:
            self.complaint = on_screen(refusal(error))
        self.rewrite()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Enter: write, or the next value; what is typed begins before."""
        event.stop()
        if event.key == WRITE:
            self.action_write()
        elif not self.types_here():
            self.nudge(1)
        elif self.rows.entry is None:
            self.rows.begin(self.text_here())
            self.rewrite()

    def action_undo(self) -> None:
        """Take the last change back."""
        if self.draft is None or not self.draft.undo():
            self.notify("nothing to undo", timeout=2)
        self.rewrite()

    def action_browse(self) -> None:
        """Look for data, or for a model where the cursor stands on its row."""
        model = self.rows.cursor == MODEL

        def take(path: str, kind: EntryKind) -> None:
            if model and kind != "model":
                raise ModelRefused(f"{Path(path).name} is no model", fix="take an .onnx file")
            if model:
                self.model = path
                self.call_later(self.action_again)
            else:
                self.call_later(self.open, path if kind != "image" else str(Path(path).parent))

        self.find("a model" if model else "data", take)

    def action_write(self) -> None:
        """Write the file, over another only after a yes, and use it."""
        from .dialogs import Confirm

        self._do(self._refuse_unwritable)
        if self.complaint:
            return
        file = Path(self.file)

        def answer(yes: bool | None) -> None:
            if yes:
                self.call_later(self._write, file)

        if file.exists():
            self.app.push_screen(Confirm(f"Write over {file.name}?", "What the file holds now is gone for good."), answer)
        else:
            self._write(file)

    def _refuse_unwritable(self) -> None:
        from ...engine.library.dataset_file import refuse_taken

        if self.draft is None or self.found is None:
            raise DataRefused("nothing has been looked at yet", fix="choose data, or wait a moment")
        if self.doing:
            raise DataRefused("the model is still being tried", fix="wait, or empty the row model")
        if self.found.refusals:
            first = self.found.refusals[0]
            raise DataRefused(first.what, fix=first.fixes)
        refuse_taken(Path(self.file), over=True)

    def _write(self, file: Path) -> None:
        from ...engine.library.dataset_file import write_dataset

        def write() -> None:
            assert self.draft is not None
            write_dataset(self.draft.dataset, file, over=True)
            self.taken(str(file))
            dismiss_once(self)

        self._do(write)

    def action_details(self) -> None:
        """Into what was found, to scroll."""
        self.query_one(Details).focus()

    def action_copy(self) -> None:
        """The description to the clipboard of the user's own terminal (OSC 52)."""
        self.app.copy_to_clipboard(self._toml())
        self.notify("copied", timeout=2)

    def action_back(self) -> None:
        """Leave; nothing is written."""
        dismiss_once(self)
