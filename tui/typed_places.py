"""What a path may become that is being typed, as tab of a shell tells it."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice

from ..engine.config import typed_path

MOST_READ = 20_000
"""Names of a folder; of one with more some are not found."""


def places(text: str) -> list[str]:
    """Paths that begin as `text` does, in the order of their names, as they are typed: folders end with `/`. Hidden ones only
    where a dot is typed.
    """
    before, name = text[: text.rfind("/") + 1], text[text.rfind("/") + 1 :]
    if text == "~":
        return ["~/"]
    found: list[str] = []
    with suppress(OSError, ValueError), os.scandir(typed_path(before or ".")) as entries:
        for entry in islice(entries, MOST_READ):
            hidden = entry.name.startswith(".") and not name.startswith(".")
            if entry.name.startswith(name) and not hidden and entry.name.isprintable():
                found.append(f"{before}{entry.name}{'/' if entry.is_dir() else ''}")
    return sorted(found)


def completed(text: str) -> str:
    """As much more of it as is the same in all that it may become; as it was where it may become nothing."""
    return shared(found) if (found := places(text)) else text


def shared(sorted_words: list[str]) -> str:
    """What all begin with; of sorted words what the first and the last do."""
    first, last = sorted_words[0], sorted_words[-1]
    return first[: next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))]
