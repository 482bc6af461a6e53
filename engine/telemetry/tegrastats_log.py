"""A log in which tegrastats has written, among others: its lines, and when each was made."""

from __future__ import annotations

import itertools
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import structs

from .alerts import AlertEvent
from .decorations import bare
from .log_clock import Clock
from .recording import Header, Mark
from .sample import Sample
from .sources.tegrastats import sample_of
from .tegrastats_line import memory_at, parse
from .timestamps import OWN, OWN_DAY_FIRST, Stamp, stamps_in
from .wrapped_lines import Width, across, may_be_cut, without_pieces

_USUAL_S = 1.0
"""tegrastats' own interval, if it is asked for none."""
_ASKED = re.compile(r"tegrastats .*--interval ([0-9]{1,7})\b()|^#.*\binterval\W{1,3}([0-9]{1,7}(?:\.[0-9]{1,6})?) ?(ms|s)\b")
"""How it was started, or what a heading says. Other programs have intervals too."""
_NEAR = 3
"""So many lines to both sides show what a whole line looks like."""
_MEMORY = re.compile(r"RAM [0-9]+/([0-9]{1,9})MB")
_CUT_MEMORY = re.compile(r"RAM [0-9]+(?:/[0-9]*M?)?$")
_BEGUN = re.compile(r"(?<![A-Za-z_])(?:RAM [0-9]+/[0-9]+MB|R(?:A(?:M(?: [0-9]*(?:/[0-9]*M?)?)?)?)?$)")
_MOST_PIECES = 40
_STARTS = re.compile(rb"(?:[0-9]{2}-[0-9]{2}-[0-9]{4} [0-9:]{8} )?(?<![ABD-VX-Za-z_])RAM [0-9]+/[0-9]+MB")


class TegrastatsLog:
    """When each line of a log was made, and what can be said of that."""

    def __init__(self, lines: Iterator[tuple[int, bytes]]) -> None:
        self.header = Header(source="tegrastats")
        self.marks: list[Mark] = []
        self.alerts: list[AlertEvent] = []
        self.broken = 0
        self.offsets, self.times_s = array("Q"), array("d")
        self._clock, self._width = Clock(), Width()
        self._beats = bytearray()
        """For each line, whether a beat of tegrastats begins with it."""
        self._sizes: Counter[str] = Counter()
        """Megabytes of memory, and how many lines say so."""
        self._whole = False
        """Lines with their memory have come: those that lack it are pieces."""
        self._usual_s, self._told = _USUAL_S, ""
        for offset, line in lines:
            for place, text in _apart(offset, line):
                self._take(place, text)
        times = self._clock.times(self._usual_s)
        self.kind, self._doubted = times.kind, times.doubted
        beat, now_s = iter(times.times_s), 0.0
        for counts in self._beats:
            now_s = next(beat) if counts else now_s
            self.times_s.append(round(now_s, 6))  # seconds since 1970 have no more digits
        self.lines = len(self._clock)
        """Lines of tegrastats."""
        self.assumed = ""
        """What is taken for the time between its lines where they tell none."""
        if self.lines > 1 and not self.kind:
            why = f"as it says `{self._told}`" if self._told else "which is what tegrastats does unless told otherwise"
            lack = "the times in its lines run with no clock" if self._doubted else "its lines have no time"
            self.assumed = f"{lack}: they are taken to be {self._usual_s:g} s apart, {why}"
        self.notes = list(self._notes(times.sets, times.crowded))

    def _take(self, offset: int, line: bytes) -> None:
        raw = line.decode("utf-8", "replace")
        text, says = bare(raw), False
        if raw.strip(" \t\0") and not line.startswith(b"#"):
            stamps = stamps_in(_around(raw, text))
            if found := _MEMORY.search(text):
                self._sizes[found[1]] += 1
            memory = found is not None or (bool(stamps) and _CUT_MEMORY.search(text) is not None)
            says = memory or not parse(text).empty
            self._width.see(raw, begins=memory or bool(stamps), says=says)
            self._whole = self._whole or memory
            # a piece of a line that was broken in two belongs to the beat before; so does a line that lost its beginning
            self._beats.append(says and (memory or bool(stamps) or not self._whole))
            self.offsets.append(offset)
            if self._beats[-1]:
                self._clock.add(stamps)
        if not says and (found := _ASKED.search(text)) and (number := float(found[1] or found[3])):
            self._usual_s, self._told = number * (1.0 if found[4] == "s" else 0.001), found[0][found[0].find("interval") :]

    def _notes(self, sets: int, crowded: int) -> Iterator[str]:
        sizes = sorted(int(size) for size, lines in self._sizes.items() if lines > 1)
        if sizes and sizes[-1] > 1.1 * sizes[0]:  # less is another release on the same board
            yield f"its lines are of several boards ({sizes[0]} to {sizes[-1]} MB of memory): give each a file of its own"
        if sets:
            yield f"its time steps back, or by a day and more, {_times(sets)}: one usual interval is taken there"
        if crowded:
            yield f"{crowded} lines have the time of the line before: they are spread evenly"

    def sample(self, line: Callable[[int], str], k: int) -> Sample:
        """The telemetry document of line `k`; `line` gives the text of each."""
        text, sure, broken, own = line(k), False, False, 0
        if self._width.characters:
            sure, broken = self._goes_on(line, k), self._goes_on(line, k + 1)
            own = across(line(k - 1), text) if sure else 0
            text = text[own:] + (line(k + 1)[: across(text, line(k + 1))] if broken else "")
        clean = bare(text)
        stamps = {stamp.kind: stamp for stamp in stamps_in(_around(text, clean))}
        kinds = [self.kind, OWN_DAY_FIRST if self.kind == OWN_DAY_FIRST else OWN]
        chosen: list[Stamp] = [stamps[kind] for kind in reversed(kinds) if kind in stamps] or [
            stamp for stamp in stamps.values() if stamp.kind not in self._doubted
        ]
        wall = next((stamp.wall for stamp in chosen if stamp.wall), "")
        headless = self._whole and not own and memory_at(clean) < 0
        if not broken and may_be_cut(clean, headless=headless):
            near = [n for n in range(k - _NEAR, k + _NEAR + 1) if n != k and 0 <= n < len(self.times_s)]
            clean = without_pieces(clean, [bare(line(n)) for n in near], headless=headless)
        sample = sample_of(parse(clean, sure=sure), self.times_s[k], wall, "tegrastats", None)
        return structs.replace(sample, time="assumed") if self.assumed else sample

    def _goes_on(self, line: Callable[[int], str], k: int) -> bool:
        """Line `k` is the rest of the one before: all since the memory, with which it began, are as wide as can be."""
        if not 0 < k < len(self.times_s) or _MEMORY.search(line(k)):
            return False
        for n in range(k - 1, max(k - _MOST_PIECES, 0) - 1, -1):
            text = line(n)
            if len(text) != self._width.characters:
                return False
            if not self._whole or _BEGUN.search(text):
                return True
        return False


def _apart(offset: int, line: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines of tegrastats that stand in one, as in a list that was printed, or where an end of line was lost."""
    starts = [found.start() for found in _STARTS.finditer(line)][1:] if line.count(b"RAM ") > 1 else []
    for a, b in itertools.pairwise([0, *starts, len(line)]):
        yield offset + a, line[a:b]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _around(raw: str, text: str) -> str:
    """What stands before a line of tegrastats; all of a line in JSON, as docker and the journal keep it, its time behind."""
    at = memory_at(text)
    return text if at < 0 or raw.lstrip().startswith("{") else text[:at]
