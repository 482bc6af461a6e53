"""Looking for a model or data in folders: names on the left, and what the one under the cursor is on the right.

Everything that may take long is done beside the screen, and given up when the cursor moves on: a folder is listed in a thread,
a model or a dataset is looked into by a process of its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from ...engine.advice.words import grouped, size
from ...engine.config import shown_path, typed_path
from ...engine.errors import DataRefused, EdgetuiError
from ...engine.library.folder_entries import EntryKind, FolderEntry, entries_of, glance_at, kind_of_name
from ...engine.report.width import shortened, width_of
from ..background import in_background, refusal
from ..desk import AtDesk
from ..fix_words import on_screen
from ..kept_look import keep_place, kept_places
from ..panes.dataset_lines import PICTURE, preview_lines, shows_pictures
from ..panes.folder_lines import entry_line, glance_words
from ..panes.models import facts_lines
from ..panes.pane import Parts
from ..widgets.keybar import KeyBar
from ..widgets.lazyrows import LazyRows
from ..widgets.lines import Details, Line, Lines, Rows, hanging
from ..widgets.motion import LEFT, RIGHT
from .filtered import FilteredScreen
from .safe_dismiss import SafeDismiss, dismiss_once

if TYPE_CHECKING:
    from ...engine.api import DatasetQuestion

Take = Callable[[str, EntryKind], object]
"""Takes a path that was chosen, or raises why not."""
Wanted = Literal["a model", "data", "a model or data"]
NARROW = 100
"""Columns below which the preview stands below the names."""
LOOK_AFTER_S = 0.15
"""The cursor has to rest so long before anything is read."""
UP = ".."
WANTED: dict[Wanted, tuple[EntryKind, ...]] = {
    "a model": ("model", "plan"),
    "data": ("data",),
    "a model or data": ("model", "data"),
}

FILTER = 24
"""Columns for a filter while it is typed: the folder gives them."""


class BrowseScreen(AtDesk, SafeDismiss, FilteredScreen):
    """Folders, files, and a preview."""

    CSS_PATH = "browse.tcss"
    EXAMPLE = "l goes into a folder, h out of it; / week47 enter leaves names with that in them; t takes a folder."
    HELP = (
        "Models and data by their folders. Enter goes into a folder and takes a file; t takes what the cursor stands on,\n"
        "a folder as well: one with models is added to the list of models, one with images becomes the data. ← → (h l)\n"
        "go out of a folder and into one, . shows hidden names, ~ goes home, b lists places of before, p takes a typed path.\n"
        "Beside it stands what is in the model (opset, inputs, outputs, parameters, multiply-accumulates, operators) or in\n"
        "the data (kind, samples, sizes, classes, a few pictures), read once the cursor rests; d scrolls in it."
    )
    FILTER = "browse.filter"
    PARTS: ClassVar[Parts] = {
        "browse-preview": (
            "What lies under the cursor, before it is taken.",
            "h goes a folder up, esc back to the list.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEFT, "out", "out", id="browse.out", tooltip="To the folder around this one"),
        Binding(RIGHT, "into", "into", id="browse.into", tooltip="Into the folder under the cursor"),
        Binding("t", "take", "take", id="browse.take", tooltip="Take what the cursor stands on, a folder as well"),
        Binding("slash", "filter", "filter", id="browse.filter", tooltip="Show only names with these letters"),
        Binding("full_stop", "hidden", "hidden", id="browse.hidden", tooltip="Show or hide names that begin with a dot"),
        Binding("tilde", "home", "home", id="browse.home", show=False, tooltip="To your home folder"),
        Binding("b", "places", "places", id="browse.places", tooltip="Places of before, and those of edgetui.toml"),
        Binding("p", "path", "path", id="browse.path", tooltip="Type a path"),
        Binding("d", "details", "details", id="browse.details", show=False, tooltip="Scroll in the preview"),
        Binding("f5", "reload", "read again", id="browse.reload", show=False, tooltip="Read the folder again"),
        Binding("escape", "back", "back", id="browse.back", tooltip="Take nothing"),
    ]

    def __init__(self, wanted: Wanted, start: Path, take: Take) -> None:
        """`take` gets what was chosen; what it raises is said, and the browser stays."""
        super().__init__()
        self.wanted, self.folder, self._take = wanted, start, take
        self.entries: list[FolderEntry] | None = None
        """None: being read."""
        self.trouble = ""
        self.shows_hidden = False
        self._listed: list[tuple[str, FolderEntry]] = []
        """Names that are not hidden, in small letters, each with what has it."""
        self._by_key: dict[str, FolderEntry] = {}
        self._looked = ""
        """What the preview is of."""

    def compose(self) -> ComposeResult:
        """Where we are, names, preview, keys."""
        yield Lines(id="browse-title")
        with Container(id="browse-body"):
            yield LazyRows(id="browse-rows")
            yield Details(id="browse-preview")
        yield KeyBar()

    @property
    def rows(self) -> LazyRows:
        """The names."""
        return self.query_one(LazyRows)

    @property
    def preview(self) -> Details:
        """What the one under the cursor is."""
        return self.query_one(Details)

    def on_mount(self) -> None:
        """Read where we begin."""
        self.rows.focus()
        self.go(self.folder)

    def on_resize(self, event: events.Resize) -> None:
        """The preview beside or below."""
        self.set_class(event.size.width < NARROW, "-narrow")
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        self.write()
        self._look_again()

    def on_descendant_focus(self) -> None:
        """A preview that is read has more room."""
        self.set_class(self.preview.has_focus, "-reading")

    # folders

    def go(self, folder: Path, cursor: str = "") -> None:
        """Show another folder, with the cursor on a name."""
        self.folder, self.entries, self.trouble, self._listed = folder, None, "", []
        self.filter_text, self.entry = "", None
        self.write()

        async def read() -> None:
            try:
                found = await asyncio.to_thread(entries_of, folder)
            except EdgetuiError as error:
                found, self.trouble = [], on_screen(error)
            self._list(found)
            self.write(f":{cursor}" if cursor else "")
            self._look_again()

        in_background(self, read, "browse-folder")

    def _list(self, entries: list[FolderEntry]) -> None:
        """Once a folder, and not at each letter of a filter."""
        self.entries = entries
        self._listed = [(each.name.casefold(), each) for each in entries if self.shows_hidden or not each.hidden]

    def _draw(self, key: str) -> Line:
        room = max(10, self.rows.size.width - 3)
        if key == UP:
            return ((f"../   {shortened(shown_path(str(self.folder.parent)), room - 6)}", "dim"),)
        entry = self._by_key[key]
        return entry_line(entry, room, wanted=entry.kind == "folder" or entry.kind in WANTED[self.wanted])

    def write(self, cursor: str | None = None) -> None:
        """Names that have the filter's letters."""
        letters = self.filter_text.casefold()
        self._by_key = {f":{each.name}": each for name, each in self._listed if letters in name}
        first = next(iter(self._by_key), UP)
        wanted = cursor if cursor in self._by_key else first if cursor is not None or self.rows.cursor in ("", UP) else None
        self.rows.take([UP, *self._by_key] if not letters else list(self._by_key), self._draw, wanted)
        self.write_head()

    def write_head(self) -> None:
        """Where we are, and the filter."""
        kept, listed = len(self._by_key), len(self._listed)
        if self.entries is None:
            many = "reading …"
        else:
            hidden = len(self.entries) - listed
            many = (
                f"{grouped(kept)} of {grouped(listed)}"
                if self.filter_text
                else f"{grouped(listed)} name{'' if listed == 1 else 's'}"
            )
            many += f", {hidden} hidden" if hidden else ""
        head: Line = ((f" edgetui  Open {self.wanted}  ", "title"),)
        taken = sum(width_of(text) for text, _ in head) + width_of(many) + 6 + FILTER * bool(self.entry)
        room = max(8, self.size.width - taken)
        shown = shortened(shown_path(str(self.folder)), room)
        typed: Line = ()
        if self.entry is not None:
            typed = (("   / ", "accent"), *self.entry.spans())
        elif self.filter_text:
            typed = ((f"   / {self.filter_text}", "accent"),)
        self.query_one("#browse-title", Lines).show([(*head, (shown, "value"), (f"   {many}", "dim"), *typed)])

    # preview

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Look at another one, once the cursor rests."""
        event.stop()
        self._look_again()

    def _look_again(self) -> None:
        in_background(self, self._look, "browse-look")

    async def _look(self) -> None:
        key, width = self.rows.cursor, max(20, self.preview.size.width - 2)
        entry = self._by_key.get(key)
        title: list[Line] = [((f" {shortened(key[1:] if entry else shown_path(str(self.folder.parent)), width)}", "title"),)]
        if self.trouble:
            self.preview.show(hanging(((" ✗ ", "bad"),), self.trouble, width, "bad"))
            return
        if key != self._looked:
            self.preview.show([*title, ((" reading …", "dim"),)] if entry else title)
            self.preview.scroll_rows(-1_000_000)
        await asyncio.sleep(LOOK_AFTER_S)
        self._looked = key
        if entry is None:
            return
        path = self.folder / entry.name
        try:
            lines = await self._told(path, entry, width)
        except (EdgetuiError, OSError) as error:
            lines = hanging(((" ✗ ", "bad"),), on_screen(refusal(error)), width, "bad")
        if key == self.rows.cursor:
            self.preview.show([*title, *lines])

    async def _told(self, path: Path, entry: FolderEntry, width: int) -> Sequence[Line]:
        """What is known of it.

        Raises:
            EdgetuiError: it cannot be read.
        """
        if entry.why:
            raise DataRefused(entry.why, fix="look at it with `ls -l`")
        if entry.kind == "folder":
            seen = await asyncio.to_thread(glance_at, path)
            rows = [((f" {glance_words(seen)}", "dim"),), ()]
            return [*rows, *await self._data(path, width)] if seen.data else rows
        if entry.kind == "model":
            facts = await self.desk.link.look_into(path)
            return facts_lines(facts, width, ascii_only=self.desk.graph == "ascii", full=True)[1:]
        if entry.kind == "data":
            return await self._data(path, width)
        words = {
            "plan": "a plan: :layers of its run looks inside, and `edgetui inspect`",
            "image": "an image: t takes its folder as data",
        }
        return [
            ((f" {size(entry.size_bytes)}", ""),),
            *hanging(((" ", ""),), words.get(entry.kind, "neither a model nor data"), width, "dim"),
        ]

    async def _data(self, path: Path, width: int) -> Sequence[Line]:
        from ...engine.api import DatasetQuestion

        dataset = await asyncio.to_thread(self.desk.engine.dataset_parts, str(path))
        picture = PICTURE if shows_pictures(self.desk) else 0
        question: DatasetQuestion = DatasetQuestion(dataset=dataset, shown=2 * (width // (PICTURE + 1)), picture=picture)
        return preview_lines(await self.desk.link.probe_dataset(question), width)

    # actions

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Into a folder; a file is taken."""
        event.stop()
        entry = self._by_key.get(event.key)
        if entry is None or entry.kind == "folder":
            self.action_into()
        else:
            self.action_take()

    def action_out(self) -> None:
        """To the folder around."""
        if self.folder.parent != self.folder:
            self.go(self.folder.parent, self.folder.name)

    def action_into(self) -> None:
        """Into the folder under the cursor."""
        entry = self._by_key.get(self.rows.cursor)
        if self.rows.cursor == UP:
            self.action_out()
        elif entry is not None and entry.kind == "folder":
            self.go(self.folder / entry.name)

    def action_take(self) -> None:
        """Take what the cursor stands on."""
        entry = self._by_key.get(self.rows.cursor)
        if entry is not None:
            self.take(self.folder / entry.name)

    def take(self, path: Path) -> None:
        """Take a path; why it cannot be is said."""
        try:
            kind: EntryKind = "folder" if path.is_dir() else kind_of_name(path.name)
            str(path).encode()
            self._take(str(path), kind)
        except UnicodeEncodeError:
            self.desk.show_error(DataRefused("its name is not UTF-8", fix="rename it, or make a link to it"))
            return
        except (EdgetuiError, OSError) as error:
            self.desk.show_error(refusal(error))
            return
        keep_place(self.desk.engine.home, str(path.parent))
        dismiss_once(self)

    def action_hidden(self) -> None:
        """Show or hide names that begin with a dot."""
        self.shows_hidden = not self.shows_hidden
        if self.entries is not None:
            self._list(self.entries)
        self.write()

    def action_home(self) -> None:
        """To the home folder."""
        self.go(Path.home())

    def action_places(self) -> None:
        """Folders to go to."""
        from .choose import Choose

        config, home = self.desk.config, self.desk.engine.home
        named = {str(typed_path(path)): "models, by edgetui.toml" for path in config.models.folders}
        named |= {str(typed_path(path).parent): f"data {name}, by edgetui.toml" for name, path in config.datasets.items()}
        kept = dict.fromkeys(kept_places(home), "taken from there before")

        def chosen(path: str | None) -> None:
            if path:
                self.go(Path(path))

        places = list({**kept, **named, str(Path.home()): "your home"}.items())
        self.app.push_screen(Choose("Places", places, str(self.folder)), chosen)

    def action_path(self) -> None:
        """Type one."""
        from .dialogs import Ask

        def typed(text: str | None) -> None:
            if text:
                path = typed_path(last_path(text)).absolute()
                # the line that was typed has to be gone before this screen can be left
                self.call_later(self.go if path.is_dir() else self.take, path)

        self.app.push_screen(Ask("Go to a folder, or take a file", f"{self.folder}/", _there, example="~/models"), typed)

    def action_details(self) -> None:
        """Into the preview, to scroll."""
        self.preview.focus()

    def action_reload(self) -> None:
        """Read the folder again."""
        self.go(self.folder, self.rows.cursor[1:])

    def action_back(self) -> None:
        """Take nothing; a filter goes first."""
        if self.filter_text:
            self.filter_text = ""
            self.write()
        else:
            dismiss_once(self)


def last_path(text: str) -> str:
    """Of a path that was typed behind the folder that stood there, `/folder//data/x` or `/folder/~/x`, the later one."""
    later = re.fullmatch(r".*/(/.*|~(?:/.*)?)", text, re.DOTALL)
    return later[1] if later else text


def _there(text: str) -> None:
    """Raises: DataRefused, where nothing is at the path."""
    path = last_path(text)
    if not typed_path(path).exists():
        raise DataRefused(f"there is no {path}", fix="check the path")
