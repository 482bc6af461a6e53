"""What speaks against deploying a run: outputs that are ruined, an end that was none, advice that takes something else."""

from __future__ import annotations

from collections.abc import Iterator

from ..schema.result import Result
from .compare import Comparison


def reservations(result: Result, found: Comparison | None) -> Iterator[str]:
    """Each in a sentence without a full stop; nothing where the advice takes this run. `found`: it beside those that it was
    started with; None: it did not end well.
    """
    if result.fidelity.ruined:
        yield result.fidelity.ruined
    if found is None:
        yield f"the run is {result.state}: nothing says how good what it made is"
        return
    label = found.columns[found.runs.index(result.run)]
    if found.choice == label:
        return
    goal, choice, *others = (sentence.rstrip(".") for sentence in found.advice)
    why = next((said for said in others if said.removeprefix("Runner-up: ").startswith(label)), "")
    yield f"not what is advised ({goal[:1].lower()}{goal[1:]}): {choice}" + (f". {why}" if why else "")
