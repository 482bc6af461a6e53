"""The filter of lists of runs, as it is typed: `recipe:int8 top1>0.8 board:orin ratio<0.5 tag:field`.

All words must hold. `key:text` has the text in it, `key=text` is it, `a|b` either; figures are compared with < <= > >= = and
`key:low..high`; a minus before a word turns it round; what has no key is looked for everywhere. Capitals or not, all the same.
Read once, asked of every run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from ..errors import UsageError, nearest
from ..schema.run_summary import RunSummary
from .run_fields import DURATIONS, NAMES, NUMBERS, SHORT, TEXTS, NumberField, TextField

K = TypeVar("K", float, str)
Keeps = Callable[[RunSummary], bool]
HELP = "recipe:int8 top1>0.8 board:orin ratio<0.5 tag:field took<5m age<7d -state:failed"
MOST = 1000
"""Characters of a filter."""
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_TERM = re.compile(r"(-?)([a-z_][a-z0-9_-]*)(:|<=|>=|!=|<|>|=)(.*)", re.ASCII | re.DOTALL | re.IGNORECASE)
JOINING = {
    "or": "write recipe:int8|fp16 for either",
    "||": "write recipe:int8|fp16 for either",
    "and": "leave it out: all words must hold",
    "&&": "leave it out: all words must hold",
    "not": "write -recipe:int8",
}
"""What other languages join words with; looked for as text they find nothing. In quotation marks they are text."""
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?)(%|[a-z]+)?", re.ASCII)


class RunFilter:
    """A filter that has been read."""

    def __init__(self, text: str = "") -> None:
        """Read it.

        Raises:
            UsageError: a word is none: there is no such field, no number where one is wanted, a quotation mark is open.
        """
        if len(text) > MOST:
            raise UsageError(f"a filter of {len(text)} characters", fix=f"write at most {MOST}")
        if text.count('"') % 2:
            raise UsageError("a quotation mark is open", fix='write tag:"two words"')
        self.text = text.strip()
        self._keeps: tuple[Keeps, ...] = tuple(map(_read, _WORD.findall(text)))

    def kept(self, runs: Iterable[RunSummary]) -> list[RunSummary]:
        """Those for which all words hold."""
        found = list(runs)
        for keeps in self._keeps:
            found = list(filter(keeps, found))
        return found


def _read(word: str) -> Keeps:
    """What a word asks."""
    if fix := JOINING.get(word.casefold(), f"write -{word[1:]}" if word[:1] == "!" and len(word) > 1 else ""):
        raise UsageError(f"`{'!' if word[:1] == '!' else word}` is no word of a filter", fix=fix)
    said = _TERM.fullmatch(word)
    if said is None:
        bare = word.removeprefix("-") if len(word) > 1 else word
        asked = partial(_anywhere, bare.replace('"', "").casefold())
        return _not(asked) if bare != word else asked
    minus, key, sign, value = said.groups()
    key = key.casefold()
    name, value = SHORT.get(key, key), value.replace('"', "")
    if name in TEXTS and not (sign in ("<", ">", "<=", ">=") and name != "began"):
        keeps = _text(TEXTS[name], sign, value)
    elif name in NUMBERS:
        keeps = _number(NUMBERS[name], word, sign, value)
    elif name in TEXTS:
        raise UsageError(f"`{key}` is words, not a figure", fix=f"write {key}:WORD or {key}=WORD")
    else:
        raise UsageError(f"runs have no `{key}` to filter by", fix=nearest(key, NAMES))
    return _not(keeps) if minus else keeps


def _not(keeps: Keeps) -> Keeps:
    return lambda run: not keeps(run)


def _anywhere(letters: str, run: RunSummary) -> bool:
    words: tuple[str, ...] = (run.run, run.model, run.recipe, run.state, run.stage, run.backend, run.board, run.note, *run.tags)
    return letters in "\0".join((*words, run.workload, run.preset, run.data)).casefold()


def _text(field: TextField, sign: str, value: str) -> Keeps:
    if field.name == "began" and sign in ("<", ">", "<=", ">="):
        return _date(sign, value)
    wanted = tuple(part.casefold() for part in value.split("|"))
    if sign == ":":
        if field.name == "tag":  # a tag is meant as a whole: `tag:field` finds no `airfield`
            return lambda run: any(text.casefold().startswith(part) for text in run.tags for part in wanted)
        return lambda run: any(part in text.casefold() for text in field.of(run) for part in wanted)
    same: Keeps = lambda run: any(text.casefold() == part for text in field.of(run) for part in wanted)  # noqa: E731
    return _not(same) if sign == "!=" else same


def _date(sign: str, value: str) -> Keeps:
    """ISO dates sort as texts; a day is all of its hours."""
    if not re.fullmatch(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d)?)?)?)?", value, re.ASCII):
        raise UsageError(f"`{value}` is no date", fix="write began>=2026-11-20, or age<7d")
    value, long = value.replace(" ", "T"), len(value)

    def keeps(run: RunSummary) -> bool:
        began = run.began[:long]
        return bool(began) and {"<": began < value, "<=": began <= value, ">": began > value, ">=": began >= value}[sign]

    return keeps


def _number(field: NumberField, word: str, sign: str, text: str) -> Keeps:
    of = field.of
    if sign == ":" and ".." in text:
        ends = text.split("..", 1)
        low = _value(field, word, ends[0])[0] if ends[0] else -math.inf
        high = _value(field, word, ends[1])[0] if ends[1] else math.inf
        return lambda run: (value := of(run)) is not None and low <= value <= high
    limit, within = _value(field, word, text)
    if sign == "<":
        return lambda run: (value := of(run)) is not None and value < limit
    if sign == "<=":
        return lambda run: (value := of(run)) is not None and value <= limit
    if sign == ">":
        return lambda run: (value := of(run)) is not None and value > limit
    if sign == ">=":
        return lambda run: (value := of(run)) is not None and value >= limit
    if sign == "!=":
        return lambda run: (value := of(run)) is not None and abs(value - limit) > within
    return lambda run: (value := of(run)) is not None and abs(value - limit) <= within


def _value(field: NumberField, word: str, text: str) -> tuple[float, float]:
    """A number, and how near one must be to be the same: half of its last digit."""
    said = _NUMBER.fullmatch(text.casefold())
    unit = said[2] if said else ""
    if said is None or not math.isfinite(float(said[1])):
        raise UsageError(f"`{word}` wants a number", fix=f"write {field.name}<{'5m' if field.time else '0.5'}")
    scale = {"": 1.0, None: 1.0, "%": 0.01}.get(unit)
    if field.time:
        scale = DURATIONS.get(unit, scale)
    if scale is None:
        known = ", ".join(DURATIONS) if field.time else "%"
        raise UsageError(f"`{word}`: there is no unit `{unit}` here", fix=f"known: {known}")
    digits = said[1].partition("e")[0].partition(".")[2]
    exponent = int(said[1].partition("e")[2] or 0)
    return float(said[1]) * scale, 0.5 * 10.0 ** (exponent - len(digits)) * scale * 1.0001


class RunOrder:
    """An order of runs: by a field, the best or newest first; `-` before its name turns it round. Unknown figures come last."""

    def __init__(self, text: str = "began") -> None:
        """Read it.

        Raises:
            UsageError: runs have no such field.
        """
        self.text = text.strip()
        name = self.text.removeprefix("-").casefold()
        name = SHORT.get(name, name)
        if name not in TEXTS and name not in NUMBERS:
            raise UsageError(f"runs have no `{name}` to sort by", fix=nearest(name, NAMES))
        self.name, self.turned = name, self.text.startswith("-")

    def sort(self, runs: Sequence[RunSummary]) -> list[RunSummary]:
        """The runs in this order; those that are alike stay as they are."""
        if self.name == "began":
            return sorted(runs, key=lambda run: run.ticket, reverse=not self.turned)
        if self.name in TEXTS:
            return self._sorted(runs, TEXTS[self.name].sorted_by, most_first=self.turned)
        number = NUMBERS[self.name]
        return self._sorted(runs, number.of, most_first=self.turned != number.most_first)

    @staticmethod
    def _sorted(runs: Sequence[RunSummary], of: Callable[[RunSummary], K | None], *, most_first: bool) -> list[RunSummary]:
        known: list[tuple[K, RunSummary]] = []
        others: list[RunSummary] = []
        for run in runs:
            value = of(run)
            if value is None:
                others.append(run)
            else:
                known.append((value, run))
        known.sort(key=lambda pair: pair[0], reverse=most_first)
        return [*(run for _, run in known), *others]
