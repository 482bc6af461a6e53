"""What the head of a YOLOv8-style detector says before it becomes boxes and shares, read inside of any export of it.

Apart from the marks because exports name nothing: the tensors are known by their shapes, and then held against the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ...errors import DataRefused, ModelRefused
from ...network.call import Call
from ...network.zoo.anchor_free import places
from ...network.zoo.anchor_free_loss import decoded
from ...tasks.decoder import Asked, Layout
from ...tasks.detector import image_size
from ...tasks.find_decoder import recognised
from .head import first_outputs
from .prepared import Prepared

if TYPE_CHECKING:
    from torch import Tensor

_PARTS = ("boxes", "scores")
"""Of the output of such a head, centre and size in pixels, then a share for each class."""
_FAR = 0.01
"""Of the squares: 20 dB, which rounding to eight bits leaves and another order of places does not."""
_FAR_SHARE = 0.05
WITHOUT_LABELS = "`train.distill` with `alpha = 0` learns from a teacher's outputs, whatever they are"


class _Read(NamedTuple):
    """A tensor inside, and the order of axes in which the loss wants it."""

    name: str
    order: tuple[int, ...]


class BoxHead:
    """Reads distributions of distances and logits of classes where the graph has them."""

    def __init__(self, ready: Prepared, classes: int | None) -> None:
        """`classes`: as many as the samples tell apart; None: not known. The first samples are run to find the head.

        Raises:
            DataRefused: no decoder fits the outputs, or the model tells other classes apart.
            ModelRefused: it is no such head.
        """
        program = ready.module.program
        self._ready = ready
        first = next(iter(ready.feeds.values()))
        size = image_size(first.shape)
        if size is None:
            raise DataRefused("the model's input takes no images, and boxes lie in images", fix="name a set of its own kind")
        arrays = {name: value.cpu().numpy() for name, value in first_outputs(ready).items()}
        decoder = recognised(arrays, Asked(size, None, ready.rows))
        if decoder is None:
            raise _unknown("no decoder recognises its outputs")
        self.size = size
        """Width and height of the input."""
        self.classes = decoder.classes or 0
        layout = decoder.layout
        if layout is None or tuple(name for name, _ in layout.parts) != _PARTS:
            raise _unknown(f"its output is read as {decoder.name}")
        if classes is not None and classes != self.classes:
            raise DataRefused(
                f"the training samples have {classes} classes and the model's output tells {self.classes} apart",
                fix="write `classes` into the dataset's TOML file, all of the model's in their order",
            )
        asked = [call for call in program.calls if call.kind in ("Softmax", "Sigmoid")]
        program.watch = frozenset(call.inputs[0] for call in asked)
        first_outputs(ready)
        program.watch = frozenset()
        count = len(places(*size)[1])
        self._distances, self._likely = (
            _last(_reads(asked, program.watched, kind, wanted))
            for kind, wanted in (("Softmax", (4, count)), ("Sigmoid", (self.classes, count)))
        )
        program.watch = frozenset((self._distances.name, self._likely.name))
        self._refuse_other(first_outputs(ready)[layout.output], layout)

    def inside(self) -> tuple[Tensor, Tensor]:
        """Of the module's last run: logarithms of distributions (n, places, 4 x values), and logits (n, places, classes)."""
        inside = self._ready.module.program.watched
        distances, likely = (inside[each.name].permute(each.order) for each in (self._distances, self._likely))
        return distances.flatten(2), likely

    def _refuse_other(self, output: Tensor, layout: Layout) -> None:
        """Places may lie in another order, with other strides, and boxes in other units."""
        import torch

        with torch.no_grad():
            distances, likely = self.inside()
            rows = output if layout.axis == -1 else output.transpose(1, 2)
            middles, strides = (torch.from_numpy(each).to(output.device) for each in places(*self.size))
            corners = decoded(distances, middles.t(), strides)
            first, last = corners[..., :2], corners[..., 2:]
            boxes = torch.cat([(first + last) / 2, last - first], -1)
            off = (boxes - rows[..., :4]).square().sum() > _FAR * (rows[..., :4] - rows[..., :4].mean()).square().sum()
            if bool(off) or float((likely.sigmoid() - rows[..., 4:]).abs().max()) > _FAR_SHARE:
                raise _unknown("its boxes are made in another way than YOLOv8's")


def _reads(calls: list[Call], inside: Mapping[str, Tensor], kind: str, wanted: tuple[int, int]) -> list[_Read]:
    """Inputs of every Softmax that sums over an axis beside (n, *wanted), in any order; or of every Sigmoid of (n, *wanted)."""
    found = []
    for call in calls:
        value = inside.get(call.inputs[0])
        if call.kind != kind or value is None or value.dim() != (4 if kind == "Softmax" else 3):
            continue
        shares = []
        if kind == "Softmax":
            shares = [call.whole("axis", -1 if call.opset >= 13 else 1) % value.dim()]
            if call.opset < 13 and shares != [3]:  # it would sum over all axes that follow
                continue
        rest = [axis for axis in range(1, value.dim()) if axis not in shares]
        lengths = tuple(int(value.shape[axis]) for axis in rest)
        if sorted(lengths) == sorted(wanted):
            along = rest[lengths.index(wanted[1])]
            others = [axis for axis in rest if axis != along]
            found.append(_Read(call.inputs[0], (0, along, *others, *shares)))
    return found


def _last(found: list[_Read]) -> _Read:
    if not found:
        raise _unknown("nothing inside it is a distribution of distances or a logit for every place")
    return found[-1]


def _unknown(why: str) -> ModelRefused:
    return ModelRefused(
        f"no loss is known for this detector's head: {why}",
        fix=(f"{WITHOUT_LABELS}", "leave the step out of the recipe"),
    )
