"""Power rails of a Jetson by name: which chip is the module's own, what the other's rails are called, and what is gone.

Two chips can have a rail of one name (a carrier with an INA3221 of its own). The module's keeps the name, because its
total is made of it; it is told by its place on the board, and where that cannot be seen by the labels beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...system.boards import Board, Profile, Total, detect, profiles, total_of
from ...system.root_files import Files
from ..channel import MODULE_POWER, Beat, Channel, Notes, unique_name
from .chips import Chip, Rail, find_chips

_LOOK_EVERY_S, _LOOK_SOON_S = 10.0, 2.0
"""A look takes as long as a sweep or two; where a rail is silent its chip may have another number, so it comes sooner."""


class Rails:
    """All rails that are in use, looked for again while we run: drivers come late, and chips get new numbers."""

    def __init__(self, files: Files, notes: Notes, board: Board) -> None:
        self._files, self._notes, self._board = files, notes, board
        self._look, self._look_soon = Beat(_LOOK_EVERY_S), Beat(_LOOK_SOON_S)
        self._chips: list[Chip] = []
        self._complete = False
        self.rails: list[Rail] = []
        self.rules: tuple[Total, ...] = ()
        """How they make the total."""
        self._carrier: frozenset[str] = frozenset()
        self._find()

    def read(self, now_s: float) -> tuple[dict[str, int | None], dict[str, int | None]]:
        """(milliwatts by rail, those of rails that are known to be the carrier's); None: silent, or no longer there."""
        if self._look.due(now_s) | (not self._complete and self._look_soon.due(now_s)):
            self._find()
        rails = {rail.name: rail.read(now_s) for rail in self.rails}
        self._complete = bool(rails) and None not in rails.values()
        carrier = {name: rails.pop(name) for name in list(rails) if name in self._carrier}
        return rails, carrier

    def total(self, rails_mw: dict[str, int | None]) -> tuple[int | None, str | None]:
        """(mW, scope); (None, None): no rule fits."""
        return total_of(self.rules, rails_mw)

    def alarms(self) -> list[tuple[str, Channel]]:
        """What says that a current is over its limit."""
        return [(f"{rail.name} over-current", alarm) for rail in self.rails for alarm in rail.alarms]

    def _find(self) -> None:
        alive = {chip.folder: chip for chip in self._chips if all(rail.power or rail.volts for rail in chip.rails)}
        unanswered = self._files.unanswered
        found = find_chips(self._files, self._notes, alive)
        chips = self._with_missed(found, seen=self._files.unanswered == unanswered)
        if chips == self._chips and self.rails:
            return
        self._chips = chips
        likely = _likely(self._board, {label for chip in chips for label in chip.labels})
        alike = bool(likely) and all(profile.total == likely[0].total for profile in likely)
        self.rules = likely[0].total if alike else ()
        self._carrier = frozenset(name for profile in likely for name in profile.carrier)
        own = frozenset(name for profile in likely for name in profile.rails)
        self.rails = sorted(_named(chips, likely, self._notes), key=lambda rail: rail.name not in own)
        self._say()

    def _with_missed(self, found: list[Chip], *, seen: bool) -> list[Chip]:
        """What was there and is not stays, without a value: a carrier's rail must not get the module's name for that.

        It stays as it was where the look has not `seen` everything, since something hangs.
        """
        chips, left = list(found), list(found)
        taken = {chip.identity for chip in self._chips}
        for old in self._chips:
            new = _again(old, left, taken)
            if new is None:
                chips.append(replace(old, rails=tuple(self._gone(old, rail) for rail in old.rails)) if seen else old)
                continue
            left.remove(new)
            missed = [rail for rail in old.rails if rail.name not in new.labels]
            gone = tuple(self._gone(old, rail) if seen else rail for rail in missed)
            for label in new.labels:
                self._notes.withdraw(f"{old.identity} {label}")
            if gone:
                chips[chips.index(new)] = replace(new, rails=(*new.rails, *gone))
        return chips

    def _gone(self, chip: Chip, rail: Rail) -> Rail:
        self._notes.once(f"{chip.identity} {rail.name}", f"{rail.name}: no longer there ({chip.short})")
        return Rail(rail.name, None)

    def _say(self) -> None:
        if self.rails:
            self._notes.withdraw("rails")
        else:
            self._notes.once("rails", "power: this board has no power sensor that can be read")
        if self.rails and not self._board.known and not self._board.hidden:
            self._notes.once("total", f"total power: no profile knows {self._board.name}, so its rails are not added up")


def find_rails(files: Files, notes: Notes) -> list[Rail]:
    """All rails that are in use now."""
    return Rails(files, notes, detect(files)).rails


def _again(old: Chip, found: list[Chip], taken: set[str]) -> Chip | None:
    """The same chip as it is found now: by its place; where that cannot be seen by its labels, else by its number.

    Where no controller is seen a bus may have another number: then a chip of no other place with its address and labels.
    """
    same = [chip for chip in found if chip.identity == old.identity]
    if not same and old.place.name is None:
        same = [chip for chip in found if chip.kind == old.kind and chip.folder == old.folder]
    elif not same and old.place.controller is None:
        new = [chip for chip in found if chip.place.controller is None and chip.identity not in taken]
        alike = (old.kind, old.labels, old.place.address)
        same = [chip for chip in new if (chip.kind, chip.labels, chip.place.address) == alike]
    return next((chip for chip in same if chip.folder == old.folder), same[0] if same else None)


def _likely(board: Board, labels: set[str]) -> list[Profile]:
    """The board's profile; where it cannot be seen which board it is, those whose rails are there, best match first."""
    if not board.hidden:
        return [board.profile]
    soc = board.profile.soc
    kin = [p for p in profiles() if p.soc and p.rails and (p.soc == soc or not any(q.soc == soc for q in profiles()))]
    fit = [p for p in kin if any(labels.issuperset(rule.rails) for rule in p.total)]
    hits = {p.name: len(labels.intersection(p.rails)) for p in fit}
    return [p for p in fit if hits[p.name] == max(hits.values())]


def _named(chips: list[Chip], likely: list[Profile], notes: Notes) -> Iterator[Rail]:
    """Every rail under a name of its own: that of the module is its label, the others' have their chip behind it."""
    signature = frozenset(name for profile in likely for name in profile.rails)
    sensors = frozenset(place for profile in likely for place in profile.sensors)
    taken: set[str] = set()
    for chip in chips:
        for rail in chip.rails:
            label = rail.name
            rivals = [other for other in chips if label in other.labels]
            if len(rivals) == 1:
                own = not _foreign(chip, label, signature, sensors)
            else:
                owner = _owner(rivals, signature, sensors) if label in signature else None
                own = owner is chip
                if owner is None and label in signature:
                    text = f"{label}: on {len(rivals)} chips, and which is the module's cannot be told"
                    notes.once(f"same {label}", text, about=MODULE_POWER)
            name = unique_name(label if own else f"{label} ({chip.short})", taken)
            yield rail if name == label else replace(rail, name=name)


def _owner(rivals: list[Chip], signature: frozenset[str], sensors: frozenset[str]) -> Chip | None:
    """The module's own among chips that have a label in common; None: it cannot be told."""
    ranked = sorted(rivals, key=lambda chip: _rank(chip, signature, sensors), reverse=True)
    best = _rank(ranked[0], signature, sensors)
    return None if len(ranked) > 1 and best == _rank(ranked[1], signature, sensors) else ranked[0]


def _rank(chip: Chip, signature: frozenset[str], sensors: frozenset[str]) -> tuple[int, int, int]:
    """(place, labels of the module, place less surely): the larger, the more likely the module's own.

    Modules have INA3221 only. The controller's address is the same in every release; the bus number counts as much only
    where no controller is seen.
    """
    if not chip.kind.startswith("ina3221"):
        return -1, 0, 0
    strong = weak = 0
    for sensor in sensors:
        controller, _, device = sensor.partition("/")
        bus, _, address = device.partition("-")
        if chip.place.address == int(address, 16):
            numbered = chip.place.bus == int(bus)
            weak = max(weak, 1 + numbered)
            if chip.place.controller == controller:
                strong = max(strong, 2)
            elif chip.place.controller is None and numbered:
                strong = max(strong, 1)
    return strong, len(signature.intersection(chip.labels)), weak


def _foreign(chip: Chip, label: str, signature: frozenset[str], sensors: frozenset[str]) -> bool:
    """A rail with a name of the module's on a chip that is not.

    That is: of another kind; or with no other such rail and elsewhere, or beside others where its place cannot be seen.
    """
    if label not in signature:
        return False
    strong, labels, weak = _rank(chip, signature, sensors)
    elsewhere = bool(sensors) and strong == 0 and weak < 2
    if chip.place.address is None:
        elsewhere = len(chip.labels) > labels
    return strong < 0 or (elsewhere and labels == 1 < len(signature))
