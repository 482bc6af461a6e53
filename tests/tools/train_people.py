"""The pose network on drawn people: films of one seed are learnt, those of another ship as the zoo's samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from drawn_people import SIDE, Drawn, films, packed
from edgetui.engine.network.zoo.catalogue import made
from edgetui.engine.tasks.part_affinity import SKELETON
from learning import Feeds, finished, network, save, train

WIDTH, EPOCHS, BATCH, RATE, SEED, FRAMES = 0.125, 24, 8, 3e-3, 0, 480
MAP, STEP = SIDE // 4, 4
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def maps(people: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What cmap and paf should be (Cao et al. 2017, equations 6 and 8): peaks, and unit vectors along limbs (down, across)."""
    down, across = np.meshgrid(np.arange(MAP) + 0.5, np.arange(MAP) + 0.5, indexing="ij")
    cmap, paf = np.zeros((18, MAP, MAP), np.float32), np.zeros((42, MAP, MAP), np.float32)
    count = np.zeros((len(SKELETON), MAP, MAP), np.float32)
    for points in people:
        every = np.concatenate([points, points[5:7].mean(0, keepdims=True)]) / STEP
        for place, (x, y) in enumerate(every):
            cmap[place] = np.maximum(cmap[place], np.exp(-((down - y) ** 2 + (across - x) ** 2) / 2))
        for limb, (one, other) in enumerate(SKELETON):
            way = every[other] - every[one]
            length = float(np.hypot(*way)) + 1e-6
            unit = way / length
            along = (across - every[one][0]) * unit[0] + (down - every[one][1]) * unit[1]
            beside = np.abs((across - every[one][0]) * unit[1] - (down - every[one][1]) * unit[0])
            on = (along >= -0.5) & (along <= length + 0.5) & (beside <= 1)
            paf[2 * limb][on] += unit[1]
            paf[2 * limb + 1][on] += unit[0]
            count[limb][on] += 1
    return cmap, paf / np.maximum(np.repeat(count, 2, axis=0), 1)


def ready(drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    pixels = ((np.asarray(drawn.image, np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)
    # With channels last, as they lie in an image, torch 2.13 on the CPU ended by a fault of its memory.
    return np.ascontiguousarray(pixels, np.float16), np.concatenate(maps(drawn.people)).astype(np.float16)


def batches(learnt: list[tuple[np.ndarray, np.ndarray]], epoch: int) -> Iterator[tuple[Feeds, torch.Tensor]]:
    order = np.random.default_rng([SEED, epoch]).permutation(len(learnt))
    for at in range(0, len(order) - BATCH + 1, BATCH):
        part = [learnt[place] for place in order[at : at + BATCH]]
        images, wanted = (torch.from_numpy(np.stack(each)).float() for each in zip(*part, strict=True))
        yield {"image": images}, wanted


def loss_of(found: dict[str, torch.Tensor], wanted: object) -> torch.Tensor:
    """The square of what is missing; where something is, more: a thirtieth of all places, which else stay at zero."""
    assert isinstance(wanted, torch.Tensor)
    whole = torch.cat([found["cmap"], found["paf"]], 1)
    return ((whole - wanted).square() * (1 + 40 * wanted.abs())).sum((1, 2, 3)).mean() / 1000


def people(data: Path, out: Path, epochs: int | None) -> None:
    del data
    learnt = [ready(each) for each in films(FRAMES, 0)]
    torch.manual_seed(SEED)
    model = made("pose-resnet18", seed=SEED, width=WIDTH, notes={"data": "drawn people"})
    module = network(model)
    with torch.no_grad():
        for head in ("cmap", "paf"):
            module.trained[f"{head}_head.weight"].mul_(0.1)

    def after(epoch: int) -> str:
        save(finished(model, module, {}), out / "people-pose-resnet18.onnx")
        return ""

    train(module, lambda epoch: batches(learnt, epoch), loss_of, epochs or EPOCHS, len(learnt) // BATCH, RATE, after=after)
    packed(out / "people-test.zip", 96, 1)
    packed(out / "people-calibration.zip", 48, 2)
