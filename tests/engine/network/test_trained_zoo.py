"""The trained networks that ship: what is said of them is so, and they are small."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.data.open import open_samples
from edgetui.engine.graph.vocabulary import vocabularies_of
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.network.zoo.catalogue import ARCHITECTURES
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.system.onnx_metadata import read_metadata
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.average_precision import PrecisionMeter
from edgetui.engine.tasks.boxes import Detections, Laid
from edgetui.engine.tasks.decoder import Asked
from edgetui.engine.tasks.exporter import export_notes
from edgetui.engine.tasks.find_decoder import find_decoder
from edgetui.engine.tasks.keypoint_precision import PoseMeter
from edgetui.engine.tasks.pose_decoder import find_pose_decoder
from edgetui.engine.tasks.poses import Poses

ZOO = PACKAGE / "profiles" / "zoo"
NETWORKS = sorted(path.stem for path in ZOO.glob("*.onnx"))
README = (ZOO / "README.md").read_text(encoding="utf-8")
MOST_BYTES = 10_000_000


def scores(name: str, feeds: dict[str, np.ndarray]) -> np.ndarray:
    session = ort.InferenceSession(str(ZOO / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_each_says_what_it_is(name):
    notes = read_metadata(ZOO / f"{name}.onnx")
    assert notes["trained"] == "yes"
    assert notes["zoo"] in ARCHITECTURES
    assert notes["paper"] == ARCHITECTURES[notes["zoo"]].paper
    assert name.endswith(notes["zoo"])
    model = onnx.load(ZOO / f"{name}.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]


def test_the_readme_has_a_row_for_each_and_no_other():
    assert sorted(re.findall(r"^\| `([\w-]+)\.onnx` \|", README, re.MULTILINE)) == NETWORKS


def test_they_are_small():
    assert sum(path.stat().st_size for path in ZOO.glob("*.onnx")) < MOST_BYTES


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("digits-")])
def test_digits_are_told_as_well_as_the_readme_says(name):
    held = np.load(PACKAGE / "profiles" / "demo" / "digits.npz")
    right = (scores(name, {"image": held["image"]}).argmax(1) == held["labels"]).mean()
    said = float(re.search(rf"^\| `{name}\.onnx` \|.* top-1 (0\.\d+)", README, re.MULTILINE).group(1))
    assert right == pytest.approx(said, abs=0.004)
    drawn = np.random.default_rng(0).permutation(held["labels"])
    assert (scores(name, {"image": held["image"]}).argmax(1) == drawn).mean() < 0.2


@pytest.mark.parametrize("name", ["bccd", "people", "sentences"])
def test_samples_that_ship_can_be_read(name):
    dataset = read_dataset(str(ZOO / f"{name}.toml"), {})
    assert dataset.name == name


def test_the_tokenizer_makes_no_id_that_the_networks_do_not_know():
    tokenizers = pytest.importorskip("tokenizers", reason="needs tokenizers")
    made = tokenizers.Tokenizer.from_file(str(ZOO / "sst2-tokenizer.json"))
    for name in (name for name in NETWORKS if name.startswith("sst2-")):
        assert vocabularies_of(ZOO / f"{name}.onnx")["input_ids"] == made.get_vocab_size()


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("sst2-")])
def test_sentences_that_ship_are_told_apart(name):
    """Far better than guessing, of sentences that are no part of SST-2; turned labels are told as badly."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs tokenizers")
    made = tokenizers.Tokenizer.from_file(str(ZOO / "sst2-tokenizer.json"))
    rows = [line.split("\t") for line in (ZOO / "sentences.tsv").read_text(encoding="utf-8").splitlines()]
    encoded, labels = made.encode_batch([row[0] for row in rows]), np.array([int(row[1]) for row in rows])
    feeds = {"input_ids": np.array([each.ids for each in encoded])}
    if name == "sst2-transformer":
        feeds["attention_mask"] = np.array([each.attention_mask for each in encoded])
    right = (scores(name, feeds).argmax(1) == labels).mean()
    assert right > 0.8


def judged(name: str, samples: str, meter: Any, found_in: Any) -> tuple[float, float]:
    """The first figure of a meter for what a network finds in samples that ship; and with truths of other samples."""
    file = ZOO / f"{name}.onnx"
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    shape = (1, *session.get_inputs()[0].shape[1:])
    inputs = [TensorFacts(name="image", dtype="float", shape=shape)]
    dataset = read_dataset(str(ZOO / f"{samples}.toml"), {})
    opened = open_samples(dataset, inputs, {"image": shape}, "evaluation", 0, NullReporter(), export_notes(file))
    right, other, found, truths = meter(), meter(), [], []
    for batch in opened.batches(1):
        outputs = dict(zip([value.name for value in session.get_outputs()], session.run(None, dict(batch.feeds)), strict=True))
        (scene,) = batch.truths.scenes or batch.truths.poses
        found.append(found_in(outputs, Asked(shape[:1:-1], None, 1), scene.laid))
        truths.append(scene.truth)
    for place, each in enumerate(found):
        right.add(each, truths[place])
        other.add(each, truths[place - len(truths) // 2])
    return right.figures()[0], other.figures()[0]


def boxes_in(outputs: dict[str, np.ndarray], asked: Asked, laid: Laid) -> Detections:
    (found,) = find_decoder(outputs, asked).detections(outputs, 1)
    return replace(found, corners=laid.back(found.corners))


def poses_in(outputs: dict[str, np.ndarray], asked: Asked, laid: Laid) -> Poses:
    (found,) = find_pose_decoder(outputs, asked._replace(points=17)).poses(outputs, 1)
    return replace(found, points=laid.back_points(found.points), boxes=laid.back(found.boxes))


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "samples", "meter", "found_in", "figure"),
    [
        ("bccd-yolo-n", "bccd", PrecisionMeter, boxes_in, "mAP50"),
        ("people-pose-resnet18", "people", PoseMeter, poses_in, "OKS mAP50"),
    ],
)
def test_boxes_and_poses_are_found_as_well_as_the_readme_says(name, samples, meter, found_in, figure):
    right, other = judged(name, samples, meter, found_in)
    said = float(re.search(rf"^\| `{name}\.onnx` \|.* {figure} (0\.\d+)", README, re.MULTILINE).group(1))
    assert right == pytest.approx(said, abs=0.01)
    assert other < 0.5 * right
