"""Small networks, built node by node."""

from __future__ import annotations

from pathlib import Path

import pytest
from nodes import Bench, Net


@pytest.fixture
def net() -> type[Net]:
    return Net


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
