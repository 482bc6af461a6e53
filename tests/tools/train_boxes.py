"""The detector on BCCD: three quarters of the images are learnt, every fourth is not seen and ships as the zoo's samples."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from edgetui.engine.network.zoo.anchor_free import RAW, STRIDES
from edgetui.engine.network.zoo.anchor_free_loss import BoxTargets, detection_loss
from edgetui.engine.network.zoo.catalogue import made
from edgetui.engine.tasks.average_precision import PrecisionMeter
from edgetui.engine.tasks.boxes import TrueBoxes
from edgetui.engine.tasks.suppression import suppressed
from edgetui.engine.tasks.yolo import corners_of
from learning import Feeds, finished, network, save, train
from PIL import Image

CLASSES = ("RBC", "WBC", "Platelets")
SIDE, WIDTH, EPOCHS, BATCH, RATE, SEED = 224, 0.125, 44, 8, 4e-3, 0
WEIGHTS = torch.tensor([1.0, 2.0, 4.0])
"""Of eleven red cells in an image one is white, and one a platelet; without it the platelets are not found (AP50 0.04)."""
GREY = 114
EVERY = 4


class Labelled(NamedTuple):
    name: str
    data: bytes
    notes: bytes
    pixels: np.ndarray
    """(height, width, 3), as large as it is fed."""
    classes: np.ndarray
    corners: np.ndarray
    """In pixels as fed, before it is laid into the square."""


def labelled(path: Path) -> list[Labelled]:
    found = []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(each for each in archive.namelist() if each.endswith(".jpg")):
            data, notes = archive.read(name), archive.read(f"annotations/{Path(name).stem}.xml")
            image = Image.open(io.BytesIO(data)).convert("RGB")
            ratio = SIDE / max(image.size)
            small = image.resize(tuple(round(each * ratio) for each in image.size), Image.Resampling.BILINEAR)
            kinds, corners = [], []
            for each in ET.fromstring(notes).iter("object"):  # noqa: S314
                kinds.append(CLASSES.index(each.findtext("name", "")))
                corners.append([float(each.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax")])
            boxes = np.array(corners, np.float32).reshape(-1, 4) * ratio
            found.append(Labelled(name, data, notes, np.asarray(small), np.array(kinds, np.int64), boxes))
    return found


def turned(each: Labelled, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mirrored, turned, somewhere in the square, other colours: cells have no top."""
    pixels, boxes = each.pixels, each.corners.copy()
    if draw.random() < 0.5:
        pixels, boxes = pixels.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
    for axis in (0, 1):
        if draw.random() < 0.5:
            pixels = np.flip(pixels, axis)
            low = 1 - axis
            boxes[:, [low, low + 2]] = pixels.shape[axis] - boxes[:, [low + 2, low]]
    free = SIDE - np.array(pixels.shape[:2])
    down, across = (int(draw.integers(0, each + 1)) for each in free)
    square = np.full((SIDE, SIDE, 3), GREY, np.float32)
    tinted = pixels * draw.uniform(0.8, 1.2, 3) + draw.uniform(-20, 20)
    square[down : down + pixels.shape[0], across : across + pixels.shape[1]] = np.clip(tinted, 0, 255)
    return square, boxes + np.array([across, down, across, down], np.float32)


def middle(each: Labelled) -> tuple[np.ndarray, tuple[int, int]]:
    """As it is evaluated, and where it lies."""
    square = np.full((SIDE, SIDE, 3), GREY, np.float32)
    down, across = (round((SIDE - side) / 2 - 0.1) for side in each.pixels.shape[:2])
    square[down : down + each.pixels.shape[0], across : across + each.pixels.shape[1]] = each.pixels
    return square, (across, down)


def fed(squares: list[np.ndarray]) -> Feeds:
    return {"image": torch.from_numpy(np.stack(squares).astype(np.float32).transpose(0, 3, 1, 2) / 255)}


def batches(learnt: list[Labelled], epoch: int) -> Iterator[tuple[Feeds, BoxTargets]]:
    draw = np.random.default_rng([SEED, epoch])
    order = draw.permutation(len(learnt))
    for at in range(0, len(order) - BATCH + 1, BATCH):
        part = [learnt[place] for place in order[at : at + BATCH]]
        both = [turned(each, draw) for each in part]
        most = max(len(each.classes) for each in part)
        kinds, corners, there = (
            np.zeros((BATCH, most), np.int64),
            np.zeros((BATCH, most, 4), np.float32),
            np.zeros((BATCH, most), bool),
        )
        for place, (each, (_, boxes)) in enumerate(zip(part, both, strict=True)):
            kinds[place, : len(boxes)], corners[place, : len(boxes)], there[place, : len(boxes)] = each.classes, boxes, True
        targets = BoxTargets(*(torch.from_numpy(array) for array in (kinds, corners, there)))
        yield fed([square for square, _ in both]), targets


def precision(module, unseen: list[Labelled]) -> tuple[float, float]:
    meter = PrecisionMeter()
    with torch.no_grad():
        for at in range(0, len(unseen), BATCH):
            part = unseen[at : at + BATCH]
            laid = [middle(each) for each in part]
            whole = module(fed([square for square, _ in laid]))["output0"].numpy().astype(np.float64)
            for each, (_, shift), sample in zip(part, laid, whole, strict=True):
                rows = sample.T
                truth = TrueBoxes(
                    each.corners.astype(np.float64) + np.array(shift * 2), each.classes, np.zeros(len(each.classes), bool)
                )
                meter.add(suppressed(corners_of(rows[:, :4]), rows[:, 4:]), truth)
    figures = meter.figures()
    return figures.map50, figures.map50_95


def begun(model, module) -> None:
    """At first few places hold anything (Lin et al. 2017, Focal Loss, section 4.1), and sides are of a stride's length."""
    with torch.no_grad():
        for number, stride in enumerate(STRIDES):
            module.trained[f"model.22.cv3.{number}.2.bias"].fill_(float(np.log(5 / len(CLASSES) / (SIDE / stride) ** 2)))
            module.trained[f"model.22.cv2.{number}.2.bias"].fill_(1.0)


def bccd(data: Path, out: Path, epochs: int | None) -> None:
    every = labelled(data / "bccd" / "bccd.zip")
    unseen = every[::EVERY]
    learnt = [each for place, each in enumerate(every) if place % EVERY]
    torch.manual_seed(SEED)
    names = ", ".join(f"{number}: '{name}'" for number, name in enumerate(CLASSES))
    model = made(
        "yolo-n", seed=SEED, width=WIDTH, side=SIDE, classes=len(CLASSES), notes={"names": f"{{{names}}}", "data": "bccd"}
    )
    module = network(model, RAW)
    begun(model, module)

    def after(epoch: int) -> str:
        if epoch % 5 != 4:
            return ""
        save(finished(model, module, {}), out / "bccd-yolo-n.onnx")
        return "mAP50 {:.4f}  mAP50-95 {:.4f}".format(*precision(module, unseen))

    epochs = epochs or EPOCHS
    train(
        module,
        lambda epoch: batches(learnt, epoch),
        lambda found, targets: detection_loss(found[RAW], targets, SIDE, WEIGHTS) / BATCH,  # type: ignore[arg-type]
        epochs,
        len(learnt) // BATCH,
        RATE,
        after=after,
    )
    map50, map50_95 = precision(module, unseen)
    save(finished(model, module, {"map50": f"{map50:.4f}"}), out / "bccd-yolo-n.onnx")
    packed(out / "bccd-test.zip", unseen)
    packed(out / "bccd-calibration.zip", learnt[::6])
    from train_zoo import record

    record(
        out, "bccd-yolo-n", {"map50": round(map50, 4), "map50_95": round(map50_95, 4), "samples": len(unseen), "epochs": epochs}
    )


def packed(path: Path, some: list[Labelled]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for each in some:
            for name, data in ((each.name, each.data), (f"annotations/{Path(each.name).stem}.xml", each.notes)):
                archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
