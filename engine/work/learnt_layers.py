"""What a search leaves to the next one of the same layers: what each cost in each format, and the mix that was found.

Apart from `mix_costs.py`, which makes a table from plans that are built now. A layer is known by its operators and shapes, not
by its weights, so that a model that was trained again has the same; and only where the same versions compute it in the same way
on the same board. How far a layer moves the outputs is of its weights, and is found anew each time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import msgspec
from msgspec import structs

from ..backends.cards import CARDS
from ..runs.search_folder import SearchDir, search_folders
from ..runs.stages import versions
from ..schema.search import CostsFound, LearntLayers, TakenOver, UnitInfo
from ..schema.spec import RunSpec
from ..search.mixes import CostTable, Mix
from ..system.boards import detect
from ..system.cpu import physical_cores, read_processor
from ..system.power_modes import power_mode
from ..system.root_files import Files
from ..system.tensorrt_here import fingerprint

FORMAT = 1
"""Raised when costs are found in another way."""


def stamp_here(spec: RunSpec) -> str:
    """All that costs of a layer follow from besides itself: board, power mode, versions, settings, workload."""
    files, card = Files(), CARDS[spec.backend.name]
    parts = [
        FORMAT,
        versions(),
        detect(files).name,
        read_processor().described,
        physical_cores(files),
        power_mode(files),
        fingerprint() if card.tied_to_gpu else [],
        msgspec.to_builtins(spec.backend),
        msgspec.to_builtins(spec.workload),
        [step.described() for step in spec.recipe.active],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def learnt_of(table: CostTable, mix: Mix | None, units: Sequence[UnitInfo], stamp: str) -> LearntLayers:
    """What there is to keep of a search.

    table: as measurements left it. mix: its answer.
    """
    told = {unit.name: {str(form): costs for form, costs in unit.costs.items()} for unit in table.units}
    costs = CostsFound(
        units=tuple(structs.replace(unit, costs=told[unit.unit]) for unit in units),
        border=next((costs for border in table.borders for costs in border.costs.values()), {}),
        fixed=table.fixed,
    )
    return LearntLayers(stamp=stamp, costs=costs, mix=mix or ())


def known_costs(
    folder: SearchDir, units: Sequence[UnitInfo], stamp: str, needed: frozenset[str]
) -> tuple[CostsFound | None, str]:
    """The table of the newest search that knows all of these units here; and a sentence for people where one does, or where one
    knows them and nothing of it can be taken over.

    needed: quantities.
    """
    elsewhere = ""
    for other in search_folders(folder.home):
        lines = other.found() if other.id != folder.id else []
        learnt = next((line.learnt for line in reversed(lines) if line.learnt is not None), None)
        if learnt is None:
            continue
        found = _taken(learnt, units, needed)
        if found is None:
            continue
        if learnt.stamp != stamp:
            elsewhere = elsewhere or (
                f"{other.id} knows these layers, but of other versions or settings, or of another board: nothing is taken over"
            )
            continue
        first = _formats(learnt, units)
        taken = TakenOver(search=other.id, units=len(units), first=first)
        begins = ", and half A is asked of its mix first" if first else ""
        return structs.replace(found, taken=taken), f"what each of {len(units)} units costs is known from {other.id}{begins}"
    return None, elsewhere


def _taken(learnt: LearntLayers, units: Sequence[UnitInfo], needed: frozenset[str]) -> CostsFound | None:
    """The costs for these units; None: not all are known."""
    places = _places(learnt, units)
    if places is None:
        return None
    known = [learnt.costs.units[place].costs for place in places]
    for unit, costs in zip(units, known, strict=True):
        if not all(needed <= costs.get(form, {}).keys() for form in ("fp32", *unit.effects)):
            return None
    priced = [
        structs.replace(unit, costs={form: own for form, own in costs.items() if form == "fp32" or form in unit.effects})
        for unit, costs in zip(units, known, strict=True)
    ]
    return structs.replace(learnt.costs, units=tuple(priced))


def _places(learnt: LearntLayers, units: Sequence[UnitInfo]) -> list[int] | None:
    """Which unit of the search before each is: of those of one signature the first is the first, and so on."""
    of_signature: dict[str, list[int]] = {}
    for place, unit in enumerate(learnt.costs.units):
        of_signature.setdefault(unit.signature, []).append(place)
    found, seen = [], dict.fromkeys(of_signature, 0)
    for unit in units:
        known = of_signature.get(unit.signature, []) if unit.signature else []
        if not known:
            return None
        found.append(known[min(seen[unit.signature], len(known) - 1)])
        seen[unit.signature] += 1
    return found


def _formats(learnt: LearntLayers, units: Sequence[UnitInfo]) -> tuple[str, ...]:
    """The mix that was found, for these units; empty: FP32 was, or nothing."""
    places = _places(learnt, units)
    if places is None or len(learnt.mix) != len(learnt.costs.units):
        return ()
    found = [learnt.mix[place] for place in places]
    found = [form if form in unit.effects else "fp32" for form, unit in zip(found, units, strict=True)]
    return tuple(found) if set(found) != {"fp32"} else ()
