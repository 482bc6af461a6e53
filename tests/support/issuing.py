"""Issuers of a workload over a function that stands for an inference."""

from __future__ import annotations

from collections.abc import Callable

from edgetui.engine.backends.base import Session
from edgetui.engine.measure.issuer import Issuer, Means, issuer_of
from edgetui.engine.schema.workloads import FlatOut, Workload


class Calls(Session):
    """A session whose inference is a call."""

    inputs = outputs = ()

    def __init__(self, infer: Callable[[], None]) -> None:
        self._infer = infer

    def timed(self, feeds):
        return self._infer

    def close(self) -> None:
        pass


def issuing(infer: Callable[[], None], workload: Workload | None = None) -> Issuer:
    return issuer_of(Means(Calls(infer), {}, workload or FlatOut()))
