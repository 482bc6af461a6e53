"""What a training keeps after each epoch, so that one that was killed goes on from there: arrays and numbers, no code.

An .npz file, read without pickle; apart from the loop because it knows files and no tensors.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import from_os_error
from ...system.reporter import Reporter

Arrays = Mapping[str, NDArray[np.generic]]
_NUMBERS = "numbers"
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def write_checkpoint(file: Path, training: str, numbers: Mapping[str, Any], arrays: Arrays) -> None:
    """Write it whole or not at all; what was there before stays until it is on the disk.

    training: says which training it is of; another does not take it up.

    Raises:
        StorageRefused: the folder cannot be written, or the disk is full.
    """
    text = json.dumps({"training": training, **numbers}).encode()
    temporary = file.with_name(f".{file.name}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as into:
            np.savez(into, **{_NUMBERS: np.frombuffer(text, np.uint8), **arrays})  # type: ignore[arg-type]
            into.flush()
            os.fsync(into.fileno())
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise from_os_error(error, path=file) from None


def read_checkpoint(file: Path, training: str, say: Reporter) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]] | None:
    """Numbers and arrays that `training` has kept; None: it has not, and begins anew."""
    if not file.exists():
        return None
    try:
        with file.open("rb") as content, np.load(content, allow_pickle=False) as kept:
            numbers = json.loads(kept[_NUMBERS].tobytes())
            if numbers.pop("training") != training:
                say.note("what is kept is of another training: it begins anew")
                return None
            return numbers, {name: kept[name] for name in kept.files if name != _NUMBERS}
    except _BROKEN:
        say.note("what was kept of the training is damaged: it begins anew")
        return None
