"""Leaving a screen once: enter pressed twice, or an answer that comes late, must not take the screen below away as well."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import Screen

Answer = TypeVar("Answer")


def leave(screen: Screen[Answer], answer: Answer | None = None) -> None:
    """Leave a screen with its answer, if it is the one on top."""
    if screen.is_active:
        screen.dismiss(answer)
