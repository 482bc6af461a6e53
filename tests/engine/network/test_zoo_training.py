"""Networks of the zoo are trained as they stand: batch norms, and the losses of the detector."""

from __future__ import annotations

import numpy as np
import pytest
from edgetui.engine.network.call import Hints
from edgetui.engine.network.module import Network, as_module
from edgetui.engine.network.zoo.anchor_free import BINS, RAW, places
from edgetui.engine.network.zoo.batch_statistics import as_stored, by_the_batch
from edgetui.engine.network.zoo.catalogue import made
from onnx import ModelProto, TensorProto, helper

torch = pytest.importorskip("torch", reason="needs torch")

from edgetui.engine.network.zoo.anchor_free_loss import (  # noqa: E402
    BoxTargets,
    complete_overlap,
    decoded,
    detection_loss,
    overlaps,
)

HINTS = Hints("", out_of_memory="")


def module_of(model: ModelProto) -> Network:
    fixed = ("running_mean", "running_var", "dfl.conv.weight", "anchors", "strides", "number", "scales")
    floats = [each.name for each in model.graph.initializer if each.data_type == TensorProto.FLOAT]
    return as_module(
        model, [name for name in floats if not name.split("_")[0].endswith(fixed) and not name.endswith(fixed)], 1, HINTS
    )


def test_statistics_follow_the_batches_and_then_stay():
    module = module_of(made("resnet8", width=0.25))
    feeds = {"image": torch.from_numpy(np.random.default_rng(0).normal(3, 2, (16, 3, 32, 32)).astype(np.float32))}
    with torch.no_grad():
        before = module(feeds)["logits"]
        by_the_batch(module)
        for _ in range(60):
            learning = module(feeds)["logits"]
        as_stored(module)
        after = module(feeds)["logits"]
    assert not torch.allclose(before, after, rtol=0.1)
    assert torch.allclose(learning, after, rtol=0.1, atol=0.1)
    variance = module.constants["stem.norm.running_var"]
    with torch.no_grad():
        module({"image": feeds["image"] * 9})
    assert torch.equal(variance, module.constants["stem.norm.running_var"])


def test_overlaps_are_those_of_the_definition():
    one = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4]])
    other = torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4], [10, 10, 12, 12]])
    assert torch.allclose(overlaps(one, other), torch.tensor([1, 1 / 3, 0.0]), atol=1e-6)
    complete = complete_overlap(one, other)
    assert complete[0] == pytest.approx(1, abs=1e-5)
    assert complete[1] == pytest.approx(1 / 3 - 4 / 52, abs=1e-5)
    assert complete[2] < 0


def test_a_distribution_at_one_value_is_that_distance():
    middles, strides = (torch.from_numpy(each) for each in places(64, 64))
    distances = torch.full((1, len(strides), 4, BINS), -50.0)
    distances[..., 2] = 50.0
    boxes = decoded(distances.flatten(2), middles.t(), strides)
    assert torch.allclose(boxes[0, 0], torch.tensor([4 - 16.0, 4 - 16, 4 + 16, 4 + 16]))


@pytest.fixture(scope="module")
def taught() -> tuple[list[float], list[float]]:
    """Losses of a tiny detector that learns two squares, and of one whose boxes are others at every step."""

    def losses(*, shuffled: bool) -> list[float]:
        torch.manual_seed(0)
        draw = np.random.default_rng(0)
        model = made("yolo-n", width=0.0625, side=64, classes=2)
        model.graph.output.append(helper.make_tensor_value_info(RAW, TensorProto.FLOAT, None))
        module = module_of(model)
        optimizer = torch.optim.AdamW(list(module.trained.values()), 5e-3)
        images, corners = np.zeros((4, 3, 64, 64), np.float32), np.zeros((4, 1, 4), np.float32)
        for place in range(4):
            left, top = draw.integers(0, 40, 2)
            images[place, place % 2, top : top + 22, left : left + 22] = 1
            corners[place, 0] = left, top, left + 22, top + 22
        found = []
        by_the_batch(module)
        for _ in range(60):
            boxes = corners.copy()
            kinds = np.arange(4).reshape(4, 1) % 2
            if shuffled:
                start = draw.integers(0, 40, (4, 1, 2)).astype(np.float32)
                boxes, kinds = (
                    np.concatenate([start, start + draw.integers(8, 24, (4, 1, 2))], -1).astype(np.float32),
                    draw.integers(0, 2, (4, 1)),
                )
            targets = BoxTargets(torch.from_numpy(kinds), torch.from_numpy(boxes), torch.ones(4, 1, dtype=torch.bool))
            loss = detection_loss(module({"image": torch.from_numpy(images)})[RAW], targets, 64)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(float(loss.detach()))
        return found

    return losses(shuffled=False), losses(shuffled=True)


@pytest.mark.long
def test_a_detector_learns_boxes_and_nothing_of_boxes_that_are_drawn_anew(taught):
    learnt, drawn = taught
    assert np.mean(learnt[-5:]) < 0.5 * np.mean(learnt[:5])
    assert np.mean(drawn[-5:]) > 1.5 * np.mean(learnt[-5:])


def test_images_without_boxes_have_a_loss_of_classes_alone():
    raw = torch.zeros(2, 4 * BINS + 3, 84, requires_grad=True)
    nothing = BoxTargets(torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1, 4), torch.zeros(2, 1, dtype=torch.bool))
    loss = detection_loss(raw, nothing, 64)
    loss.backward()
    assert torch.isfinite(loss)
    assert raw.grad is not None
    assert float(raw.grad[:, : 4 * BINS].abs().max()) == 0
    assert float(raw.grad[:, 4 * BINS :].min()) > 0


def test_a_class_that_counts_more_pulls_more():
    raw = torch.zeros(1, 4 * BINS + 2, 84, requires_grad=True)
    nothing = BoxTargets(torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.bool))

    def pull(weights: torch.Tensor | None) -> list[float]:
        (grad,) = torch.autograd.grad(detection_loss(raw, nothing, 64, weights), raw)
        return [float(each) for each in grad[0, 4 * BINS :].sum(1)]

    alike, unlike = pull(None), pull(torch.tensor([1.0, 4.0]))
    assert unlike == pytest.approx([alike[0], 4 * alike[1]])
