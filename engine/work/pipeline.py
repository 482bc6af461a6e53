"""Runs one stage: by its kind, the file of `stages/` that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import msgspec

from ..errors import EdgetuiError
from ..runs.outcome import Outcome
from ..runs.stages import SHARED
from ..system.reporter import Reporter
from .job import Job
from .splits import narrowed
from .team import Team

LIBRARIES = {
    "step": ("onnxruntime",),
    "build": ("onnxruntime",),
    "verify": ("onnxruntime",),
    "measure": ("onnxruntime",),
    "inputs": ("onnxruntime",),
    "evaluate": ("onnxruntime",),
    "energy": ("onnxruntime",),
}
"""What most stages of a kind import that the fork server must not, or that takes it too long."""


def get_ready(jobs: Sequence[Job]) -> None:
    """What can be done for the jobs' stage while the one before it works: imports, and starting processes."""
    kind = jobs[0].stage.kind
    with suppress(ImportError):  # who needs it says so
        for library in LIBRARIES.get(kind, ()):
            import_module(library)
        if kind == "normalise":
            from ..graph.fold import load_optimizer

            load_optimizer()
    if kind == "measure":
        from .stages.measure import start_probes

        start_probes(jobs[0])


def do(jobs: Sequence[Job], say: Reporter) -> Sequence[Outcome | None]:
    """Do a stage for jobs that go through it together, or for one; None of one that failed where the others did not. `say` is
    heard by all.

    Raises:
        EdgetuiError: as the stage does; of the ways out that it names, those are left that can be gone.
    """
    lead = jobs[0]
    stage = import_module(f".stages.{lead.stage.kind}", __package__)
    try:
        if lead.stage.kind in SHARED:
            team = Team(jobs, say)
            return team.told(stage.run(team))
        run: Callable[[Job], Outcome] = stage.run
        return [msgspec.structs.replace(run(lead), warnings=tuple(lead.say.warnings))]
    except EdgetuiError as error:
        narrowed(error, Path(lead.spec.model))
        raise
