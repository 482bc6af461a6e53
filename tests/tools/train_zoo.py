"""Train the networks that ship in profiles/zoo, each from a seed, on the CPU.

    python tests/tools/train_zoo.py SET [NAME ...] [--data ../shared/data] [--out profiles/zoo] [--epochs N]

SET is digits (needs scikit-learn, which carries them), cifar10, sst2, bccd or people (drawn here: `drawn_people.py`). Needs
`pip install 'edgetui[train,text]'`. profiles/zoo/README.md says what came out, of which data, and under which licence.
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from edgetui.engine.network.zoo.catalogue import made
from learning import Feeds, finished, network, save, train
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
SEED = 0


class Plan(NamedTuple):
    """How one network is made and trained."""

    width: float
    epochs: int
    rate: float
    batch: int = 64


DIGITS = {
    "resnet20": Plan(0.5, 12, 4e-3),
    "resnet32": Plan(0.5, 10, 3e-3, 32),
    "resnet56": Plan(0.5, 10, 3e-3, 32),
    "vgg11": Plan(0.125, 15, 3e-3),
    "vgg16": Plan(0.0625, 15, 3e-3, 32),
    "mobilenet-v1": Plan(0.125, 30, 5e-3, 32),
    "mobilenet-v3": Plan(0.25, 24, 3e-3, 32),
    "efficientnet": Plan(0.25, 16, 3e-3, 32),
    "inception": Plan(0.125, 15, 3e-3, 32),
    "densenet": Plan(0.333, 12, 3e-3, 32),
}
CIFAR10 = {
    "resnet20": Plan(0.75, 12, 8e-3, 128),
    "vgg11": Plan(0.25, 12, 4e-3, 128),
    "mobilenet-v1": Plan(0.25, 12, 6e-3, 128),
    "inception": Plan(0.125, 12, 6e-3, 128),
    "densenet": Plan(0.667, 10, 6e-3, 128),
    "resnet32": Plan(0.5, 12, 8e-3, 128),
    "vgg16": Plan(0.125, 12, 4e-3, 128),
    "mobilenet-v3": Plan(0.5, 12, 6e-3, 128),
    "efficientnet": Plan(0.25, 12, 6e-3, 128),
    "resnet56": Plan(0.5, 10, 8e-3, 128),
}
SST2 = {
    "text-cnn": Plan(0.5, 5, 2e-3, 32),
    "lstm": Plan(0.5, 5, 3e-3, 32),
    "gru": Plan(0.5, 5, 3e-3, 32),
    "transformer": Plan(0.5, 8, 2e-3, 32),
}
TOKENS, VOCABULARY, UNKNOWN = 40, 4000, 1
HELD_OUT = 700
"""Texts of the training set that are not learnt: the epoch that does best with them is kept."""
PAD, MISSING = "[PAD]", "[UNK]"


class Told(NamedTuple):
    inputs: dict[str, np.ndarray]
    labels: np.ndarray


def some(told: Told, chosen: np.ndarray) -> Told:
    return Told({name: array[chosen] for name, array in told.inputs.items()}, told.labels[chosen])


def classes_of(module: object, told: Told, size: int = 256) -> np.ndarray:
    found = []
    with torch.no_grad():
        for at in range(0, len(told.labels), size):
            feeds = {name: torch.from_numpy(array[at : at + size]) for name, array in told.inputs.items()}
            found.append(module(feeds)["logits"].argmax(1).numpy())  # type: ignore[operator]
    return np.concatenate(found)


def f1(right: np.ndarray, found: np.ndarray) -> float:
    """Of class 1."""
    both = float(((right == 1) & (found == 1)).sum())
    return 2 * both / max(float((right == 1).sum() + (found == 1).sum()), 1.0)


def cross_entropy(found: dict[str, torch.Tensor], labels: object) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(found["logits"], labels)  # type: ignore[arg-type]


def batches(told: Told, size: int, epoch: int, changed) -> Iterator[tuple[Feeds, object]]:
    draw = np.random.default_rng([SEED, epoch])
    order = draw.permutation(len(told.labels))
    for at in range(0, len(order) - size + 1, size):
        part = order[at : at + size]
        feeds = {name: torch.from_numpy(changed(array[part], draw)) for name, array in told.inputs.items()}
        yield feeds, torch.from_numpy(told.labels[part])


# Images


def digits() -> tuple[Told, Told]:
    """In the order of train_demo.py: the first 1000 are learnt, the 797 of profiles/demo/digits.npz are not seen."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(7).permutation(len(found.target))
    images, labels = (found.images[order, None] / 16).astype(np.float32), found.target[order].astype(np.int64)
    shipped = np.load(ROOT / "profiles" / "demo" / "digits.npz")
    assert np.array_equal(shipped["image"], images[1000:])
    return Told({"image": images[:1000]}, labels[:1000]), Told({"image": images[1000:]}, labels[1000:])


def cifar10(data: Path) -> tuple[Told, Told]:
    return class_folders(data / "cifar10" / "train.zip"), class_folders(data / "cifar10" / "test.zip")


def class_folders(path: Path) -> Told:
    images, names = [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.lower().endswith((".jpg", ".png")):
                pixels = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"), np.float32) / 255
                images.append(((pixels - MEAN) / STD).transpose(2, 0, 1))
                names.append(Path(name).parent.name)
    known = sorted(set(names))
    return Told({"image": np.ascontiguousarray(np.stack(images), np.float32)}, np.array([known.index(each) for each in names]))


def shifted(images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Of digits: by one pixel at most, noise added."""
    moved = np.roll(images, tuple(draw.integers(-1, 2, 2)), axis=(2, 3))
    return (moved + draw.normal(0, 0.08, images.shape)).astype(np.float32)


def cut(images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Mirrored or not, moved by four pixels at most (He et al. 2016, section 4.2)."""
    side = images.shape[2]
    wide = np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
    found = np.empty_like(images)
    for place, image in enumerate(wide):
        down, across = draw.integers(0, 9, 2)
        part = image[:, down : down + side, across : across + side]
        found[place] = part[:, :, ::-1] if draw.random() < 0.5 else part
    return found


def images(which: str, name: str, plan: Plan, data: Path, out: Path) -> None:
    learnt, unseen = digits() if which == "digits" else cifar10(data)
    torch.manual_seed(SEED)
    size = {"channels": 1, "side": 8, "enlarge": 4} if which == "digits" else {}
    model = made(name, seed=SEED, width=plan.width, **size)
    module = network(model)

    def after(epoch: int) -> str:
        return f"top-1 {(classes_of(module, unseen) == unseen.labels).mean():.4f}" if epoch >= plan.epochs - 2 else ""

    changed = shifted if which == "digits" else cut
    train(
        module,
        lambda epoch: batches(learnt, plan.batch, epoch, changed),
        cross_entropy,
        plan.epochs,
        len(learnt.labels) // plan.batch,
        plan.rate,
        after=after,
    )
    right = (classes_of(module, unseen) == unseen.labels).mean()
    notes = {"data": which, "top1": f"{right:.4f}"}
    save(finished(model, module, notes), out / f"{which}-{name}.onnx")
    record(out, f"{which}-{name}", {"top1": round(float(right), 4), "samples": len(unseen.labels), "epochs": plan.epochs})


# Texts


def lines(path: Path) -> tuple[list[str], np.ndarray]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    return [row[0] for row in rows], np.array([int(row[1]) for row in rows], np.int64)


def tokenizer(texts: list[str], out: Path):
    """Words in small letters, the most frequent of the training texts; what is rarer is unknown."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    made_of = Tokenizer(models.WordLevel(unk_token=MISSING))
    made_of.normalizer = normalizers.Lowercase()
    made_of.pre_tokenizer = pre_tokenizers.Whitespace()
    made_of.train_from_iterator(
        texts, trainers.WordLevelTrainer(vocab_size=VOCABULARY, min_frequency=2, special_tokens=[PAD, MISSING])
    )
    made_of.enable_padding(pad_id=0, pad_token=PAD, length=TOKENS)
    made_of.enable_truncation(TOKENS)
    made_of.save(str(out / "sst2-tokenizer.json"))
    return made_of


def encoded(made_of, texts: list[str], labels: np.ndarray) -> Told:
    rows = made_of.encode_batch(texts)
    ids = np.array([row.ids for row in rows], np.int64)
    return Told({"input_ids": ids, "attention_mask": np.array([row.attention_mask for row in rows], np.int64)}, labels)


def sst2(name: str, plan: Plan, data: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    texts, labels = lines(data / "sst2" / "train.tsv")
    made_of = tokenizer(texts, out)
    every, unseen = encoded(made_of, texts, labels), encoded(made_of, *lines(data / "sst2" / "dev.tsv"))
    if name != "transformer":
        every.inputs.pop("attention_mask")
        unseen.inputs.pop("attention_mask")
    chosen = np.random.default_rng(SEED).permutation(len(labels)) < HELD_OUT
    learnt, held_out = some(every, ~chosen), some(every, chosen)
    torch.manual_seed(SEED)
    model = made(name, seed=SEED, width=plan.width, tokens=TOKENS, vocabulary=made_of.get_vocab_size())
    module = network(model)

    def forgotten(ids: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Words that become unknown, so that no single one is learnt by heart; masks stay."""
        if ids.max() <= 1:
            return ids
        return np.where((draw.random(ids.shape) < 0.25) & (ids > 0), UNKNOWN, ids)

    best: dict[str, torch.Tensor] = {}
    reached = [0.0]

    def after(epoch: int) -> str:
        now = f1(held_out.labels, classes_of(module, held_out))
        if now > reached[0]:
            reached[0] = now
            best.update({key: value.detach().clone() for key, value in module.trained.items()})
        return f"F1 of what is held out {now:.4f}"

    train(
        module,
        lambda epoch: batches(learnt, plan.batch, epoch, forgotten),
        cross_entropy,
        plan.epochs,
        len(learnt.labels) // plan.batch,
        plan.rate,
        decay=0.1,
        after=after,
    )
    with torch.no_grad():
        for key, value in module.trained.items():
            value.copy_(best[key])
    found = classes_of(module, unseen)
    score, right = f1(unseen.labels, found), (found == unseen.labels).mean()
    save(finished(model, module, {"data": "sst2", "f1": f"{score:.4f}"}), out / f"sst2-{name}.onnx")
    record(out, f"sst2-{name}", {"f1": round(float(score), 4), "top1": round(float(right), 4), "epochs": plan.epochs})


def record(out: Path, name: str, figures: dict[str, float]) -> None:
    """Figures of the last training, for the README beside the files."""
    path = out / "trained.json"
    told = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(told | {name: figures}, indent=1, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=["digits", "cifar10", "sst2", "bccd", "people"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "profiles" / "zoo")
    parser.add_argument("--epochs", type=int)
    asked = parser.parse_args()
    if asked.set in ("bccd", "people"):
        from train_boxes import bccd
        from train_people import people

        {"bccd": bccd, "people": people}[asked.set](asked.data, asked.out, asked.epochs)
        return
    plans = {"digits": DIGITS, "cifar10": CIFAR10, "sst2": SST2}[asked.set]
    if asked.set == "digits":
        learnt, _ = digits()
        np.savez_compressed(asked.out / "digits-training.npz", image=learnt.inputs["image"], labels=learnt.labels)
    for name in asked.names or plans:
        plan = plans[name]._replace(**({"epochs": asked.epochs} if asked.epochs else {}))
        print(f"{asked.set} {name} {plan}", flush=True)
        if asked.set == "sst2":
            sst2(name, plan, asked.data, asked.out)
        else:
            images(asked.set, name, plan, asked.data, asked.out)


if __name__ == "__main__":
    main()
