"""A graph settled for one set of input shapes: what no sample changes is computed once, and shapes become plain numbers.

Only what is deployed knows its shapes; a graph that is trained takes any batch. Without it each Reshape would
wait for its shape to come from the GPU, and torch.compile would break the graph there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .call import Call, Numbers
from .module import Network

if TYPE_CHECKING:
    from torch import Tensor

_OF_SHAPES_ALONE = ("Shape", "Size")


def fix_shapes(network: Network, feeds: Mapping[str, Tensor]) -> None:
    """Run once on `feeds`, of the shapes that will always be there, and simplify `network` in place.

    Raises:
        ModelRefused: a node cannot be executed.
        RunFailed: there is not memory enough.
    """
    import torch

    program = network.program
    known = {**network.constants, **network.trained}
    values = {**known, **feeds}
    program.batch.now = program.batch.declared
    left: list[Call] = []
    needs = {name: place for place, call in enumerate(program.calls) for name in call.inputs}
    with torch.no_grad():
        for place, call in enumerate(program.calls):
            read = _done(network, call, values)
            if call.kind in _OF_SHAPES_ALONE or all(name in known for name in call.inputs if name):
                known.update({name: values[name] for name in call.outputs if name})
                continue
            call.inputs = tuple(
                _as_numbers(call, index, known) if index in read and name in known else name
                for index, name in enumerate(call.inputs)
            )
            left.append(call)
            for name in {name for name in call.inputs if needs.get(name) == place and name not in known}:
                if name not in program.outputs:
                    values.pop(name, None)
    program.calls = left
    used = {name for call in left for name in call.inputs} | set(program.outputs)
    network.trained.clear()
    network.constants = {name: value for name, value in known.items() if name in used}
    program.forget(network.constants)


def _done(network: Network, call: Call, values: dict[str, Tensor | Numbers]) -> set[int]:
    """Execute `call`; returns which of its inputs were read as numbers."""
    given = [values.get(name) for name in call.inputs]
    read: set[int] = set()
    call.when_read = lambda x: read.update(index for index, one in enumerate(given) if one is x)
    try:
        network.program.do(call, values)
    finally:
        call.when_read = None
    return read


def _as_numbers(call: Call, index: int, known: dict[str, Tensor | Numbers]) -> str:
    """The name under which what an input holds stands as `Numbers`."""
    own: str = call.inputs[index]
    value = known[own]
    if isinstance(value, Numbers):
        return own
    name = f"{own}, as numbers"
    known[name] = Numbers(value.reshape(-1).tolist())
    return name
