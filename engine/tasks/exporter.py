"""What an exporter wrote into a model's metadata of what its outputs mean; Ultralytics writes `names`, `stride` and `task`.

Apart from the decoders because preprocessing follows from it too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..system.onnx_metadata import read_metadata

_LONGEST = 200_000
"""Characters of a value that are looked at: the names of some ten thousand classes."""


@dataclass(frozen=True)
class ExportNotes:
    """What is known of a model's meaning."""

    task: str = ""
    """Ultralytics' word: detect, segment, pose, classify, obb; empty: nobody says."""
    names: tuple[str, ...] = ()
    """Classes in the order of the outputs; empty: nobody says."""
    ultralytics: bool = False
    points: tuple[int, int] | None = None
    """Keypoints of a pose, and numbers of each (3: with its visibility); None: nobody says."""

    @property
    def letterbox(self) -> bool:
        """Its exporter feeds images in a letterbox; classifiers get the middle of theirs."""
        return self.ultralytics and self.task != "classify"


def export_notes(model: Path) -> ExportNotes:
    """Of the file; nothing where it cannot be read, which is refused elsewhere."""
    try:
        return notes_in(read_metadata(model))
    except (OSError, ValueError):
        return ExportNotes()


def notes_in(metadata: Mapping[str, str]) -> ExportNotes:
    """Of the entries of a model's metadata."""
    task, names = metadata.get("task", ""), _names(metadata.get("names", ""))
    ultralytics = "ultralytics" in metadata.get("author", "").lower() or bool(names and "stride" in metadata)
    return ExportNotes(task if ultralytics else "", names, ultralytics, _points(metadata.get("kpt_shape", "")))


def _points(text: str) -> tuple[int, int] | None:
    """`[17, 3]`; anything else says nothing."""
    found = re.fullmatch(r"[\[(] *(\d{1,4}) *, *([23]) *[\])]", text.strip())
    return (int(found[1]), int(found[2])) if found and int(found[1]) else None


def _names(text: str) -> tuple[str, ...]:
    """`{0: 'person', 1: 'bicycle'}` or `['person', 'bicycle']`; anything else says nothing."""
    try:
        value = ast.literal_eval(text) if 0 < len(text) <= _LONGEST else None
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return ()
    if isinstance(value, dict) and sorted(map(str, value)) == sorted(map(str, range(len(value)))):
        by_number = {int(number): str(name) for number, name in value.items()}
        return tuple(by_number[number] for number in range(len(by_number)))
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()
