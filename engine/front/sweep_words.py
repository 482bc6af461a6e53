"""What is typed of a sweep: texts of the command line's flags and of the screen's rows in, values out.

Apart from `sweeping.py`, which asks the board what of it can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast, get_args

from ..advice.sweep_answer import parse_want
from ..errors import UsageError, nearest
from ..schema.settings import Preset
from ..schema.sweep import SweepDevice

MOST: dict[str, int] = {"batch": 4096, "streams": 64, "threads": 1024}
"""Of the numbers behind each other that a flag takes."""
ROUNDS_LEAST, ROUNDS_MOST = 2, 20
DEVICES: tuple[SweepDevice, ...] = get_args(SweepDevice)


@dataclass(frozen=True)
class SweepWords:
    """What was typed; empty: not said."""

    modes: str = ""
    """`all`, or names or numbers of modes."""
    batches: tuple[int, ...] = ()
    streams: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()
    devices: tuple[SweepDevice, ...] = ()
    settings: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Each setting of the backend with its values."""
    want: str = ""
    preset: Preset = "normal"
    rounds: int | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def counts(text: str, flag: str) -> tuple[int, ...]:
    """`1,2,4`: whole numbers from 1 on, each once; empty: none.

    Raises:
        UsageError: it is something else.
    """
    words, most = _apart(text), MOST[flag]
    if (text.strip() and not words) or not all(word.isdecimal() and len(word) < 6 and 1 <= int(word) <= most for word in words):
        raise UsageError(f"{flag} `{text}` is not numbers from 1 to {most}", fix="write them with commas between: 1,2,4")
    return tuple(dict.fromkeys(map(int, words)))


def devices(text: str) -> tuple[SweepDevice, ...]:
    """`gpu,dla0`.

    Raises:
        UsageError: there is no such device.
    """
    words = tuple(dict.fromkeys(_apart(text)))
    for word in words:
        if word not in DEVICES:
            raise UsageError(f"there is no device `{word}`", fix=f"{nearest(word, DEVICES)}; write {', '.join(DEVICES)}")
    return cast("tuple[SweepDevice, ...]", words)


def setting(text: str) -> tuple[str, tuple[str, ...]]:
    """`graph=all,basic`: a setting of the backend and its values.

    Raises:
        UsageError: it has no key, or no value.
    """
    key, equals, values = text.partition("=")
    words = tuple(dict.fromkeys(_apart(values)))
    if not key.strip() or not equals or not words:
        raise UsageError(f"`{text}` is no setting with its values", fix="write graph=all,basic")
    return key.strip(), words


def rounds(text: str) -> int | None:
    """How often each row is measured; None: nothing is said.

    Raises:
        UsageError: it is no number, or one round, which has no interval.
    """
    if not text.strip():
        return None
    if not text.strip().isdecimal() or not ROUNDS_LEAST <= int(text) <= ROUNDS_MOST:
        raise UsageError(f"`{text}` is no number of rounds", fix=f"write one from {ROUNDS_LEAST} to {ROUNDS_MOST}")
    return int(text)


def words_of(typed: Mapping[str, str], preset: Preset, shapes: dict[str, tuple[int, ...]]) -> SweepWords:
    """What stands in the rows of a form, by the names of the flags; settings are apart by spaces.

    Raises:
        UsageError: a row is not valid.
    """

    def of(name: str) -> str:
        return typed.get(name, "")

    parse_want(of("want"))
    return SweepWords(
        modes=of("modes").strip(),
        batches=counts(of("batch"), "batch"),
        streams=counts(of("streams"), "streams"),
        threads=counts(of("threads"), "threads"),
        devices=devices(of("device")),
        settings=tuple(setting(each) for each in of("set").split()),
        want=of("want").strip(),
        preset=preset,
        rounds=rounds(of("rounds")),
        shapes=shapes,
    )


def _apart(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
