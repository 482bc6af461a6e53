"""Measuring in a fraction of the time, where a test is about something else than the figures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("short_measuring")


def short_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset `quick` takes a second instead of eight in processes that are started from here on."""
    monkeypatch.setenv("PYTHONPATH", str(FOLDER), prepend=os.pathsep)
