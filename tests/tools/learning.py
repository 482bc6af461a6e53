"""What the trainings of the zoo share: an ONNX graph is trained as it stands, and written back without its batch norms."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from edgetui.engine.compress.train.trainable import write
from edgetui.engine.graph.fold import fold
from edgetui.engine.graph.values import array_of
from edgetui.engine.graph.walk import constants
from edgetui.engine.network.call import Hints
from edgetui.engine.network.module import Network, as_module
from edgetui.engine.network.zoo.batch_statistics import as_stored, by_the_batch
from onnx import ModelProto, TensorProto, helper

Feeds = dict[str, torch.Tensor]
HINTS = Hints("leave it out of the zoo", out_of_memory="take a smaller batch")
_NO_WEIGHTS = ("running_mean", "running_var", "dfl.conv.weight", "anchors", "strides", "scales", "number")


def network(model: ModelProto, *inner: str) -> Network:
    """A module to be trained. `inner`: tensors within that are given beside the outputs."""
    whole = ModelProto()
    whole.CopyFrom(model)
    whole.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inner)
    learnt = [
        name
        for name, tensor in constants(model).items()
        if tensor.data_type == TensorProto.FLOAT
        and not name.split("_")[0].endswith(_NO_WEIGHTS)
        and not name.endswith(_NO_WEIGHTS)
    ]
    return as_module(whole, learnt, 1, HINTS)


def train(
    module: Network,
    batches: Callable[[int], Iterator[tuple[Feeds, object]]],
    loss_of: Callable[[dict[str, torch.Tensor], object], torch.Tensor],
    epochs: int,
    steps: int,
    rate: float,
    decay: float = 0.02,
    after: Callable[[int], str] | None = None,
) -> None:
    """AdamW (Loshchilov and Hutter 2019), the rate up over a tenth of all steps and down along half a cosine."""
    wide = [each for each in module.trained.values() if each.dim() > 1]
    flat = [each for each in module.trained.values() if each.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": wide, "weight_decay": decay}, {"params": flat, "weight_decay": 0.0}], rate)
    total, done, began = epochs * steps, 0, time.monotonic()
    for epoch in range(epochs):
        by_the_batch(module)
        losses = []
        for feeds, wanted in batches(epoch):
            share = done / total
            now = rate * min(share / 0.1, 1.0) * 0.5 * (1 + math.cos(math.pi * share))
            for group in optimizer.param_groups:
                group["lr"] = max(now, rate / 1000)
            loss = loss_of(module(feeds), wanted)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(list(module.trained.values()), 5.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            done += 1
        as_stored(module)
        said = after(epoch) if after else ""
        print(
            f"epoch {epoch + 1:3} of {epochs}  loss {np.mean(losses):.4f}  {time.monotonic() - began:.0f} s  {said}", flush=True
        )


def finished(model: ModelProto, module: Network, notes: dict[str, str]) -> ModelProto:
    """The file with what was learnt, batch norms folded into convolutions as exporters do it."""
    values = {name: each.detach().numpy() for name, each in module.trained.items()}
    values |= {name: each.numpy() for name, each in module.constants.items() if name.endswith(("running_mean", "running_var"))}
    for name, array in values.items():
        assert np.isfinite(array).all(), name
    whole = ModelProto()
    whole.CopyFrom(model)
    write(whole, values)
    shaped = [(list(value.type.tensor_type.shape.dim), value.name) for value in whole.graph.output]
    entries = {each.key: each.value for each in whole.metadata_props} | {"trained": "yes"} | notes
    folded = named(fold(whole))
    del folded.metadata_props[:]
    helper.set_model_props(folded, entries)
    del folded.graph.value_info[:]
    assert [name for _, name in shaped] == [value.name for value in folded.graph.output]
    onnx.checker.check_model(folded, full_check=True)
    return folded


def named(model: ModelProto) -> ModelProto:
    """Fused convolutions under the names of those that they were; the optimizer counts them."""
    for node in model.graph.node:
        if not node.name.startswith("/") and len(node.input) > 1 and node.input[1].endswith(".weight"):
            node.name = f"/{node.input[1].removesuffix('.weight').replace('.', '/')}/{node.op_type}"
    longer = {each.name for each in model.graph.initializer if each.name.endswith(".weight_bias")}
    for holder in model.graph.initializer:
        holder.name = holder.name.removesuffix(".weight_bias") + ".bias" if holder.name in longer else holder.name
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in longer:
                node.input[place] = name.removesuffix(".weight_bias") + ".bias"
    return model


def weights_of(model: ModelProto) -> int:
    return sum(array_of(tensor).size for tensor in constants(model).values())


def save(model: ModelProto, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, out)
    print(f"{out}  {out.stat().st_size / 1000:.0f} kB, {weights_of(model)} weights", flush=True)
