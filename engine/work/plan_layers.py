"""What is inside a plan: its layers with precision, time and origin. What `edgetui inspect PLAN` and the screen Layers ask.

Apart from `bench.py`, which times a plan as a whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..backends.base import Alone, Backend
from ..backends.card import Card
from ..backends.cards import CARDS, open_backend, owner
from ..errors import Fix, PlanRefused, Refusal, from_os_error
from ..inspection.origins import with_origins
from ..library.models import open_axes
from ..measure.inputs import random_inputs
from ..runs.queries import PlanQuestion
from ..schema.model_facts import TensorFacts
from ..schema.plan import PlanFacts
from ..system.reporter import Reporter

if TYPE_CHECKING:
    from ..backends.base import Feeds


def inspect_plan(home: Path, question: PlanQuestion, alone: Alone, say: Reporter) -> PlanFacts:
    """What is inside a plan; of one that cannot be loaded here what its manifest says, and why no more.

    Raises:
        PlanRefused: it is not there, or it is of ONNX Runtime and not for this machine.
        ModelRefused: of a model: it cannot be read, or an axis needs a size.
        BackendRefused: it cannot be executed.
    """
    path = Path(question.plan)
    if not path.is_file():
        raise PlanRefused(f"{path} is not there", fix="check the path")
    card = owner(path)
    if card is not None:
        asked = msgspec.structs.replace(question, backend=msgspec.structs.replace(question.backend, name=card.name))
        return _of_plan(card, open_backend(asked.backend, home), path, asked, alone)
    card = CARDS[question.backend.name]
    if not card.names_layers:
        first, *others = (other.name for other in CARDS.values() if other.names_layers)
        ways = (Fix("run with {}", "backend", first), *(Fix("{}", "backend", other) for other in others))
        known = PlanFacts(name=path.name, path=str(path), backend=card.name, size_bytes=path.stat().st_size)
        return known.without_layers(Refusal.of(f"the backend {card.name} names no layers", *ways))
    return _of_model(card, home, path, question, alone, say)


def _of_model(card: Card, home: Path, path: Path, question: PlanQuestion, alone: Alone, say: Reporter) -> PlanFacts:
    """Of the plan that the backend makes of a model, as it makes the baseline's of a run."""
    from ..graph.normalise import fix_shapes_only
    from ..inspection.inspect import inspect

    backend, facts = open_backend(question.backend, home), inspect(path, question.shapes)
    backend.check(question.backend, execute=True)
    if facts.open_axes:
        raise open_axes(facts)
    try:
        with tempfile.TemporaryDirectory(prefix="edgetui-") as folder:
            settled, plan = Path(folder) / "model.onnx", Path(folder) / f"plan{backend.suffix}"
            fix_shapes_only(path, settled, facts.shapes)
            backend.build(settled, plan, question.backend, say)
            asked = msgspec.structs.replace(question, source=str(settled), shapes=facts.shapes)
            found = _of_plan(card, backend, plan, asked, alone)
            return msgspec.structs.replace(found, name=path.name, path=str(path))
    except OSError as error:
        raise from_os_error(error) from None


def _of_plan(card: Card, backend: Backend, plan: Path, question: PlanQuestion, alone: Alone) -> PlanFacts:
    def inputs(tensors: Sequence[TensorFacts]) -> Feeds:
        sizes = {tensor.name: tuple(size if isinstance(size, int) else 1 for size in tensor.shape) for tensor in tensors}
        return random_inputs(tensors, {**sizes, **question.shapes}, seed=0)

    found = backend.look_inside(plan, question.backend, inputs, alone)
    if card.names_origins or not question.source:
        return found
    return msgspec.structs.replace(found, layers=with_origins(found.layers, Path(question.source)))
