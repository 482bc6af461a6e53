"""Where a training computes: on a GPU where PyTorch has one and the graph gives the same there, else on the CPU.

Apart from `prepared.py` because a teacher goes the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import EdgetuiError, first_line
from ...network.call import Numbers
from ...network.module import Network
from ...system.reporter import Reporter
from .same_results import near

if TYPE_CHECKING:
    from torch import Tensor

    from ...network.module import Values

Feeds = Mapping[str, NDArray[np.generic]]


def feeds_on(device: str, feeds: Feeds) -> dict[str, Tensor]:
    """Feeds as tensors on a device; copies, for what numpy reads from a file's bytes may not be written to.

    On the CPU channels of images lie side by side in memory: layers of 8 to 32 channels take two thirds of the time so.
    """
    import torch

    found = {name: torch.from_numpy(np.array(array)).to(device) for name, array in feeds.items()}
    if device == "cpu":
        found |= {name: x.to(memory_format=torch.channels_last) for name, x in found.items() if _channels_first(x)}
    return found


def _channels_first(x: Tensor) -> bool:
    return x.dim() == 4 and bool(x.is_floating_point()) and bool(x.shape[1] < x.shape[3])


def to_gpu(module: Network, feeds: Feeds, rows: int, say: Reporter) -> str:
    """Move a module to the GPU if there is one and the first `rows` samples of `feeds` give the same there; its name."""
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    some = {name: array[:rows] for name, array in feeds.items()}
    try:
        with torch.no_grad():
            expected = {name: value.numpy() for name, value in module(feeds_on("cpu", some)).items()}
            move(module, "cuda")
            found = {name: value.cpu().numpy() for name, value in module(feeds_on("cuda", some)).items()}
    except (EdgetuiError, RuntimeError) as error:  # PyTorch raises RuntimeError for all that a device cannot do
        why = error.what if isinstance(error, EdgetuiError) else first_line(error)
    else:
        if all(near(found[name], value) for name, value in expected.items()):
            say.note(f"training on {torch.cuda.get_device_name()}")
            return "cuda"
        why = "it gives other results there"
    move(module, "cpu")
    say.note(f"training on the CPU, not on {torch.cuda.get_device_name()}: {why}")
    return "cpu"


def move(module: Network, device: str) -> None:
    """Put a module on a device. Parameters and stored floats go; stored integers stay, for most are shapes, whose numbers are
    read at every pass.
    """
    held: Values = module.constants
    for name, value in held.items():
        if not isinstance(value, Numbers) and value.is_floating_point():
            held[name] = value.to(device)
    for parameter in module.trained.values():
        parameter.data = parameter.data.to(device)
