"""A dataset's description while it is edited: its fields by what kind it is, each change checked at once. No widgets.

Apart from `draft.py`, which is a run: this is what a file says of data.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ..engine.errors import RecipeRefused
from ..engine.library.datasets import decoders_of, tasks_of
from ..engine.schema.dataset_probe import DatasetProbe, InputTried
from ..engine.schema.field_docs import docs_of
from ..engine.schema.ready import ready
from ..engine.schema.spec import Dataset, ImageInput
from .fields import Field, fields_of, nudged, parse, refusal

PATHS = ("path", "calibration", "tokenizer")
_OF_TEXTS = ("tokenizer",)
_HIDDEN = ("kind", "name")
UNDO_DEPTH = 100


class DraftField(NamedTuple):
    """A field of the description, or of its table `[input]`."""

    field: Field
    of_input: bool

    @property
    def help(self) -> str:
        """The sentence below it in the source."""
        return docs_of(ImageInput if self.of_input else Dataset).get(self.field.name, "")


class DatasetDraft:
    """What would be written, with undo."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._past: list[Dataset] = []

    def fields(self) -> list[DraftField]:
        """Those that say something of this kind of data."""
        found = []
        for field in fields_of(Dataset):
            if field.name in _HIDDEN or (field.name in _OF_TEXTS and self.dataset.kind != "text"):
                continue
            choices: tuple[object, ...] = field.choices
            if field.name == "task":
                choices = (*tasks_of(self.dataset.kind), "none")
            elif field.name == "decoder":
                choices = ("auto", *decoders_of(self.dataset.kind))
                if len(choices) == 1:
                    continue
            found.append(DraftField(field._replace(choices=choices), of_input=False))
        if self.dataset.images:
            found += [DraftField(field, of_input=True) for field in fields_of(ImageInput)]
        return found

    def value(self, each: DraftField) -> object:
        """As it stands."""
        found: object = getattr(self.dataset.input if each.of_input else self.dataset, each.field.name)
        return found

    def change(self, dataset: Dataset) -> bool:
        """Take another description; undo brings the one there was back. False: it is the same."""
        if dataset == self.dataset:
            return False
        self._past = [*self._past[-UNDO_DEPTH:], self.dataset]
        self.dataset = dataset
        return True

    def undo(self) -> bool:
        """Take the last change back; False when there is none."""
        if not self._past:
            return False
        self.dataset = self._past.pop()
        return True

    def put(self, each: DraftField, value: object) -> bool:
        """Set a field; False: it had that value.

        Raises:
            RecipeRefused: it cannot be so.
        """
        kind = ImageInput if each.of_input else Dataset
        table: dict[str, Any] = msgspec.to_builtins(self.dataset.input if each.of_input else self.dataset)
        table[each.field.name] = value
        try:
            changed = msgspec.convert(table, ready(kind))
        except msgspec.ValidationError as error:
            raise refusal(kind, table, error) from None
        return self.change(changed if isinstance(changed, Dataset) else msgspec.structs.replace(self.dataset, input=changed))

    def type_in(self, each: DraftField, text: str) -> bool:
        """Set a field from what was typed.

        Raises:
            RecipeRefused: it is no such value.
        """
        value = parse(each.field, text)
        if each.field.kind == "choice" and value is not None and value not in each.field.choices:
            raise RecipeRefused(
                f"{each.field.name} cannot be {text}", fix=f"give one of {', '.join(map(str, each.field.choices))}"
            )
        return self.put(each, value)

    def nudge(self, each: DraftField, by: int) -> bool:
        """The next value, or the one before."""
        return self.put(each, nudged(each.field, self.value(each), by))

    def feed_as(self, way: InputTried) -> bool:
        """Feed images in a way that was tried."""
        return way.input is not None and self.change(msgspec.structs.replace(self.dataset, input=way.input))


def fed_as(dataset: Dataset, found: DatasetProbe | None) -> InputTried | None:
    """Which of the ways that were tried the description says; None: another, or none was tried."""
    tried = found.tried if found is not None else ()
    return next((way for way in tried if way.input is not None and way.input == dataset.input), None)


def pixel_words(how: ImageInput) -> str:
    """What the darkest and the brightest pixel become: `0 → -2.12 … 255 → 2.64`, of each channel where they differ."""
    many = max(len(how.mean), len(how.std), 1)
    means = [how.mean[n % len(how.mean)] if how.mean else 0.0 for n in range(many)]
    stds = [how.std[n % len(how.std)] if how.std else 1.0 for n in range(many)]
    ends = [f"{-mean / std + 0.0:.3g} to {(255 / how.scale - mean) / std:.3g}" for mean, std in zip(means, stds, strict=True)]
    return f"pixels 0 to 255 become {', '.join(dict.fromkeys(ends))}"
