"""Arrays that a run left in an archive of numpy, read as what comes from elsewhere: bounded, without pickles, numbers alone."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1 << 28
"""Of all arrays of an archive together; a run keeps some 100 000 inferences of 8 bytes for each side."""
DAMAGED = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What such a file raises. An array where an archive should be is an AttributeError before Python 3.11."""
Arrays = dict[str, NDArray[np.float64]]


def read_arrays(path: str) -> Arrays | str:
    """All arrays as floats, each of one axis; or why there are none."""
    if not path:
        return "the run has none"
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_BYTES:
            return f"{path} unpacks to {size / 1e6:.0f} MB, which no run leaves"
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            found: Arrays = {name: stored[name].astype(np.float64).ravel() for name in stored.files}
    except FileNotFoundError:
        return f"{path} is gone"
    except DAMAGED as error:
        return f"{path} cannot be read ({type(error).__name__})"
    if not all(np.isfinite(array).all() for array in found.values()):
        return f"{path} holds a value that is no number"
    return found
