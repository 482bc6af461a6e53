"""Small image sets of the tests' own making."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _shade(red: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 6), (red, 0, 0)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """Make a zip of names and contents."""

    def make(content: Mapping[str, bytes], name: str = "set.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in content.items():
                archive.writestr(member, data)
        return path

    return make


@pytest.fixture
def two_classes() -> dict[str, bytes]:
    """Three dark cats and three bright dogs; the shade tells which."""
    cats = {f"cat/{n}.png": _shade(n) for n in range(3)}
    return cats | {f"dog/{n}.png": _shade(100 + n) for n in range(3)}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Make an .npz, stored or compressed."""

    def make(*, compressed: bool = False, **arrays: np.ndarray) -> Path:
        path = tmp_path / "set.npz"
        (np.savez_compressed if compressed else np.savez)(path, **arrays)
        return path

    return make
