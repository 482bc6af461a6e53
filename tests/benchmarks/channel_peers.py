"""Channels that `prune.channels` removes beside those of torch-pruning, on the same ResNet-20 by the same criterion.

    python tests/benchmarks/channel_peers.py [--amount 0.25]        (needs torch, torch-pruning and ../shared/data)

The network is the ONNX file's: its convolutions with their batch norms in them, as `normalise` writes them. Both remove, of the
first layer of each block, the outputs with the smallest L1 norm, the same share of every layer. Exit 1 where a layer keeps
other channels, or multiplications differ by more than 1 %.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch_pruning
from edgetui.engine.compress.channels import prune
from edgetui.engine.graph.load import load
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import counts
from edgetui.engine.schema.steps import PruneChannels
from edgetui.engine.system.reporter import NullReporter
from on_pty import table
from torch import Tensor, nn
from torch.nn import functional

MODEL = Path(__file__).resolve().parents[3] / "shared" / "data" / "models" / "resnet20_cifar10.onnx"
IMAGE = (1, 3, 32, 32)


class Block(nn.Module):
    """Two convolutions beside a shortcut of zeros and every other place (He et al. 2015, option A)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride, self.more = outputs // inputs, (outputs - inputs) // 2
        self.first = nn.Conv2d(inputs, outputs, 3, self.stride, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(functional.relu(self.first(x)))
        if self.more:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return functional.relu(x + y)


class ResNet20(nn.Module):
    """For images of 32 x 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1)
        widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
        self.blocks = nn.ModuleList(Block(a, b) for a, b in pairwise(widths))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=(2, 3)))


def network(path: Path) -> ResNet20:
    """The ONNX file's weights; layers come in the same order."""
    made, held = ResNet20(), {tensor.name: tensor for tensor in load(path).graph.initializer}
    layers = [layer for layer in made.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    found = weights(load(path))
    biases = {node.input[1]: node.input[2] for node in load(path).graph.node if node.op_type in ("Conv", "Gemm")}
    for layer, weight in zip(layers, found, strict=True):
        array = weight.array()
        layer.weight.data = torch.tensor(array if array.shape == tuple(layer.weight.shape) else array.T)
        layer.bias.data = torch.tensor(np.frombuffer(held[biases[weight.name]].raw_data, np.float32).copy())
    return made.eval()


def theirs(path: Path, amount: float) -> tuple[dict[str, list[int]], float, float]:
    """What stays of each first layer, and multiplications before and after."""
    made, image = network(path), torch.zeros(IMAGE)
    whole = {name: layer.weight.detach().clone() for name, layer in made.named_modules() if name.endswith("first")}
    before = torch_pruning.utils.count_ops_and_params(made, image)[0]
    kept = [layer for name, layer in made.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear) and name not in whole]
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=1, group_reduction="first", normalizer=None)
    pruner = torch_pruning.pruner.BasePruner(made, image, importance, pruning_ratio=amount, ignored_layers=kept)
    pruner.step()
    stay = {}
    for name, weight in whole.items():
        left = made.get_submodule(name).weight
        stay[name] = [place for place, one in enumerate(weight) if any(torch.equal(one, other) for other in left)]
    return stay, before, torch_pruning.utils.count_ops_and_params(made, image)[0]


def ours(path: Path, out: Path, amount: float) -> tuple[list[list[int]], float, float]:
    """The same of `prune.channels`."""
    prune(PruneChannels(amount=amount, round_to=1, statistics=False, repair=False), path, out, None, NullReporter())
    stay = []
    for before, after in zip(weights(load(path)), weights(load(out)), strict=True):
        if before.shape[0] != after.shape[0]:
            rows = [row.tobytes() for row in after.array()]
            stay.append([place for place, row in enumerate(before.array()) if row.tobytes() in rows])
    return stay, float(counts(load(path), {})[2] or 0), float(counts(load(out), {})[2] or 0)


def main() -> int:
    """Print the table; exit 1 when channels or multiplications differ."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--amount", type=float, default=0.25)
    amount = parser.parse_args().amount
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "normal.onnx"
        normalise(MODEL, source, {"image": IMAGE}, NullReporter())
        stay, whole, left = theirs(source, amount)
        own, own_whole, own_left = ours(source, Path(folder) / "cut.onnx", amount)
    rows = [
        [name, str(len(one)), str(len(other)), "the same" if one == other else "others"]
        for (name, one), other in zip(stay.items(), own, strict=True)
    ]
    print(table(["layer", "torch-pruning", "edgetui", "channels"], rows))
    print(f"multiplications: torch-pruning {whole:.0f} to {left:.0f}, edgetui {own_whole:.0f} to {own_left:.0f}")
    same = list(stay.values()) == own and abs(own_left / left - 1) <= 0.01
    print("the same" if same else "NOT the same")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
