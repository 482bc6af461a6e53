"""Folders and files beside each other that are parts of one set: `train` to calibrate with, `test` or `val` to evaluate on.

Apart from `datasets.py`, which knows one path: this looks at the names of a folder's entries, and at nothing in them.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

EVALUATION = ("test", "testing", "val", "valid", "validation", "dev")
"""What comes first is taken first."""
CALIBRATION = ("train", "training")
PARTS = frozenset((*EVALUATION, *CALIBRATION))
_SUFFIXES = ("", ".zip", ".tsv", ".npz")
"""Of a part; empty: a folder."""
_MOST = 1000


def parts_of(folder: Path) -> tuple[Path, Path] | None:
    """The part to evaluate on and the one to calibrate with; None: the folder holds no two such."""
    try:
        with os.scandir(folder) as entries:
            found = {_word(entry): Path(entry.path) for entry in islice(entries, _MOST)}
    except OSError:
        return None
    for suffix in _SUFFIXES:
        evaluation = next((found[word, suffix] for word in EVALUATION if (word, suffix) in found), None)
        calibration = next((found[word, suffix] for word in CALIBRATION if (word, suffix) in found), None)
        if evaluation is not None and calibration is not None:
            return evaluation, calibration
    return None


def _word(entry: os.DirEntry[str]) -> tuple[str, str]:
    """`test` and what kind of thing it is."""
    try:
        folder = entry.is_dir()
    except OSError:
        folder = False
    name, suffix = os.path.splitext(entry.name.lower())  # noqa: PTH122  (a name, no path)
    return (entry.name.lower(), "") if folder else (name, suffix or ".")
