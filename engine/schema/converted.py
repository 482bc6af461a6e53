"""TOML tables as structs. Apart from `validation.py`, which words what is refused: most that is read is valid."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ..errors import EdgetuiError
from .ready import ready

T = TypeVar("T")


def converted(data: object, kind: type[T], where: object, refuse: type[EdgetuiError]) -> T:
    """TOML data as a struct; `where` names the file in the error.

    Raises:
        EdgetuiError: of the kind `refuse`; names the key, what was written and what may be.
    """
    try:
        return msgspec.convert(data, ready(kind))
    except msgspec.ValidationError as error:
        from .validation import explain

        why = explain(data, kind, error)
        raise refuse(f"{where}: {why.what}", fix=why.fix) from None
