"""Batch normalisations of a network in training: they normalise by the batch, and keep a running mean for afterwards.

Apart from the table of operators, which executes files as they are; a network that is trained from nothing needs this.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..call import Call
from ..module import OPERATORS, Network

if TYPE_CHECKING:
    from torch import Tensor


def by_the_batch(network: Network, momentum: float = 0.1) -> None:
    """From now on statistics are each batch's (Ioffe and Szegedy 2015, algorithm 1), and the stored ones follow them."""
    for call in network.program.calls:
        if call.kind == "BatchNormalization":
            call.operator = partial(_learning, momentum)


def as_stored(network: Network) -> None:
    """From now on statistics are the stored ones, as whoever deploys the file has them."""
    for call in network.program.calls:
        if call.kind == "BatchNormalization":
            call.operator = OPERATORS[call.kind]


def _learning(momentum: float, call: Call, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    epsilon = call.number("epsilon", 1e-5)
    made: Tensor = call.functional.batch_norm(x, mean, variance, scale, bias, True, momentum, epsilon)
    return made
