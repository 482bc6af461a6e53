"""Boards laid out in a temporary folder, and commands of theirs put first on PATH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from laid_boards import Laid, lay_out_board

LayOut = Callable[..., Laid]


@pytest.fixture
def lay_out(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LayOut:
    """`lay_out("nano_r32")` makes the board's files and commands and points EDGETUI_ROOT and PATH at them."""

    def make(name: str, *, as_root: bool = True) -> Laid:
        laid, variables = lay_out_board(shared / "sysfs" / f"{name}.json", tmp_path, as_root=as_root)
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        return laid

    return make
