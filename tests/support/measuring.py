"""Measuring in a fraction of the time, where a test is about something else than the figures."""

from __future__ import annotations

import pytest


def short_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset takes a second in processes that are started from here on."""
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.1")
