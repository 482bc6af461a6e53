"""What compressing costs in time and energy, and when it has paid that back."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ..schema.result import Payback, Result, StageFigures
from ..schema.steps import STEPS

_FEW = 0.1
"""Share of compressing time below which stages too short for the sensor are taken to draw what the others do."""

_UNMADE = "the run ended before its plan was made"
COSTS_MORE = ("slower", "hungrier")
"""Verdicts of time and energy that say so; another one only leaves it open."""


class Paid(NamedTuple):
    """What is known of it."""

    figures: Payback
    reasons: dict[str, str]
    """Why those are missing that are, by field."""
    never: frozenset[str]
    """Fields that are missing because nothing is shown to be saved."""


def compress_seconds(result: Result) -> float | None:
    """What making the plan took: the recipe's steps, lower and build; for cached stages, what they took when they were made.
    None where there is no plan: what failed or was cancelled took time that no stage tells.
    """
    if _unmade(result):
        return None
    known = [stage.seconds for stage in _making(result) if stage.seconds is not None]
    return sum(known) if known else None


def compress_joules(result: Result) -> float | None:
    """Joules of the board, idle included, over that time; None: of a tenth of it or more there is no figure."""
    if _unmade(result):
        return None
    parts = [(stage.seconds, stage.energy_j) for stage in _making(result)]
    if any(seconds is None for seconds, _ in parts):
        return None
    known = [(seconds or 0.0, joules) for seconds, joules in parts if joules is not None]
    measured_s, total_s = sum(seconds for seconds, _ in known), sum(seconds or 0.0 for seconds, _ in parts)
    if not measured_s or total_s - measured_s >= _FEW * total_s:
        return None
    return sum(joules for _, joules in known) * total_s / measured_s


def _unmade(result: Result) -> bool:
    """Whether the run ended before it had its plan."""
    return result.state != "done" and all(stage.name != "build" for stage in result.stages)


def _making(result: Result) -> list[StageFigures]:
    return [stage for stage in result.stages if _compresses(stage)]


def _compresses(stage: StageFigures) -> bool:
    method, _, _again = stage.name.partition("#")  # the second of its kind is `prune.magnitude#2`
    return method in STEPS or stage.name in ("lower", "build")


def payback(result: Result) -> Paid:
    """What compressing cost, and after how many inferences it has paid that back.

    In energy the board's joules, idle included, stand against net joules saved by each inference: what it would have drawn
    idle anyhow is counted against compressing, so that the figure errs on the late side.
    """
    spent_s, spent_j = compress_seconds(result), compress_joules(result)
    before, after = result.baseline, result.candidate
    saved_ms = _less(before.latency_ms.mean, after.latency_ms.mean)
    saved_j = _less(before.energy_j_per_inference.net, after.energy_j_per_inference.net)
    faster, thriftier = (result.verdict.get(metric, "") for metric in ("latency", "energy"))
    pays = {
        "by_time": (spent_s, saved_ms, faster == "faster", faster, "time"),
        "by_energy": (spent_j, saved_j, thriftier == "thriftier", thriftier, "energy"),
    }
    never = {
        field for field, (_, saved, shown, word, _) in pays.items() if saved is not None and word and (not shown or saved <= 0)
    }
    reasons = {
        "compress_s": (_UNMADE if _unmade(result) else "no stage says how long it took") if spent_s is None else "",
        "compress_j": _why_no_joules(result) if spent_j is None else "",
    }
    for field, (spent, saved, _, word, what) in pays.items():
        if field in never:
            begin = "never: " if word in COSTS_MORE else ""
            reasons[field] = f"{begin}the candidate is not shown to save {what} ({word})"
        elif saved is None or not word:
            reasons[field] = f"no {what} an inference was measured"
        else:
            reasons[field] = f"what compressing took in {what} is not known" if spent is None else ""
    found = Payback(
        compress_s=spent_s,
        compress_j=spent_j,
        by_time=None if reasons["by_time"] else (spent_s or 0.0) * 1000 / (saved_ms or 1.0),
        by_energy=None if reasons["by_energy"] else (spent_j or 0.0) / (saved_j or 1.0),
    )
    return Paid(found, {field: why for field, why in reasons.items() if why}, frozenset(never))


def with_payback(result: Result) -> Result:
    """The result with it, and with its reasons."""
    found, why, _ = payback(result)
    kept = {path: text for path, text in result.reasons.items() if not path.startswith("payback.")}
    reasons = kept | {f"payback.{field}": text for field, text in why.items()}
    return msgspec.structs.replace(result, payback=found, reasons=reasons)


def _less(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else before - after


def _why_no_joules(result: Result) -> str:
    if _unmade(result):
        return _UNMADE
    places = {stage.name: n for n, stage in enumerate(result.stages)}
    for stage in _making(result):
        if stage.energy_j is None and (why := result.reasons.get(f"stages.{places[stage.name]}.energy_j")):
            return f"{stage.name}: {why}"
    return "the energy of its stages was not measured"
