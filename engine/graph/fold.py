"""Constants folded and batch norms fused into convolutions, by onnxscript's optimizer.

Apart because the library is heavy to import (about a second) and chatty: it is called in this one place, quietly.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from onnx import ModelProto

from .names import shielded

LARGEST_VALUES = 1024
"""Numbers in a constant that the optimizer may compute: it does not ask whether the file grows, as `constants.py` does."""
_LOGGERS = ("onnxscript", "onnx_ir")


def fold(model: ModelProto) -> ModelProto:
    """A new, optimised model; the one given may be changed.

    Raises:
        FoldFailed: the optimizer tripped over the graph.
    """
    from onnxscript import optimizer

    with _quiet():
        try:
            return shielded(model, lambda plain: optimizer.optimize(plain, output_size_limit=LARGEST_VALUES))
        except Exception as error:
            # A library that meets strangers' graphs may raise anything; whoever calls can do without it.
            raise FoldFailed(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:120]}") from error


class FoldFailed(Exception):
    """The optimizer tripped over a graph; says how. It does not leave this room."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep its remarks about what it skipped out of the log; they name no node a user knows."""
    before = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in before:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
