"""The rows of the screen that describes a dataset: fields of its file, and what stands around them.

Apart from the screen, which asks and draws: a field of the description is a row here without a change there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.binding import Binding, BindingType

from ...engine.config import shown_path
from ...engine.report.width import shortened
from ..dataset_draft import DatasetDraft, DraftField, fed_as
from ..fields import NONE, takes
from ..widgets.lines import Line
from ..widgets.motion import LEFT, RIGHT
from ..widgets.typedrows import TypedRows

if TYPE_CHECKING:
    from ...engine.schema.dataset_probe import DatasetProbe

LABEL = 13
PATH, MODEL, WAY, FILE, WRITE = "path", "model", "way", "file", "write"
"""Keys of rows that are no field of the description."""
HELPS = {
    PATH: "A folder or zip of images, an .npz, a .tsv of texts, a description to go on with, or a name of edgetui.toml, "
    "e.g. ~/data/test.zip.",
    MODEL: "The model that is fed: what of it fits the data is said, and the usual ways to feed it are tried, "
    "e.g. ~/models/net.onnx.",
    WAY: "How images are fed, of the ways that were tried: ← → choose, the rows below follow. What is proposed comes first.",
    FILE: "Where the description is written; what is there is not written over unasked, e.g. ~/data/mine.toml.",
    WRITE: "Enter writes the file, and uses it as the data of the next run.",
}
FILED = frozenset(("path", "task", "classes", "calibration", "tokenizer", "decoder"))
"""Fields on which depends what is found in the files: after a change they are looked at again."""


class DatasetRow(NamedTuple):
    """One row."""

    key: str
    label: str
    value: str
    typed: bool
    marked: bool = False
    """← → change it."""
    field: DraftField | None = None

    @property
    def help(self) -> str:
        """What it means."""
        if self.field is None:
            return HELPS.get(self.key, "")
        help_ = self.field.help.replace("None:", f"{NONE}:")
        return help_ if "e.g." in help_ else " ".join(filter(None, (help_, takes(self.field.field))))

    def line(self, room: int, entry: Line | None, *, here: bool) -> Line:
        """As it is drawn, the value in `room` columns. here: the cursor stands on it. entry: what is being typed there."""
        if self.key == WRITE:
            return ((self.value, "key"),)
        if here and entry is not None:
            return ((f"{self.label:<{LABEL}}", "accent"), *entry)
        body: Line = ((shortened(shown_path(self.value), room), "value"),)
        if here and self.marked:
            body = (("‹ ", "accent"), *body, (" ›", "accent"))
        return ((f"{self.label:<{LABEL}}", "dim"), *body)


class DatasetRows(TypedRows):
    """The fields; while a value is typed they take the keys."""

    EDIT = "dataset.edit"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEFT, "nudge(-1)", "before", show=False, id="dataset.before", tooltip="The value before"),
        Binding(RIGHT, "nudge(1)", "next", show=False, id="dataset.next", tooltip="The next value"),
        Binding("enter", "choose", "edit", id="dataset.edit", tooltip="Type a value; write the file"),
    ]


def listed(draft: DatasetDraft | None, found: DatasetProbe | None, path: str, model: str, file: str) -> list[DatasetRow]:
    """All rows from top to bottom."""
    rows = [DatasetRow(PATH, "data", path or NONE, typed=True), DatasetRow(MODEL, "model", model or NONE, typed=True)]
    if draft is None:
        return rows
    fields = [each for each in draft.fields() if each.field.name != PATH]
    rows += [_row(draft, each) for each in fields if not each.of_input]
    if found is not None and len(found.tried) > 1:
        way = fed_as(draft.dataset, found)
        name = way.name if way is not None else "another way"
        proposed = found.above_chance and way is found.tried[0]
        rows.append(DatasetRow(WAY, "fed as", f"{name}, proposed" if proposed else name, typed=False, marked=True))
    rows += [_row(draft, each) for each in fields if each.of_input]
    return [
        *rows,
        DatasetRow(FILE, "file", file, typed=True),
        DatasetRow(WRITE, "", "+ write the file and use it", typed=False),
    ]


def _row(draft: DatasetDraft, each: DraftField) -> DatasetRow:
    choice = each.field.kind in ("choice", "switch")
    key = f"{'input' if each.of_input else 'field'}:{each.field.name}"
    label = f"  {'input' if each.field.name == 'name' else each.field.name}" if each.of_input else each.field.name
    return DatasetRow(key, label, each.field.told(draft.value(each)) or NONE, typed=not choice, marked=choice, field=each)
