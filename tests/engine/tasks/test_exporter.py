"""What Ultralytics wrote into a model is read; what others wrote is not taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.tasks.exporter import ExportNotes, export_notes, notes_in

WRITTEN = {
    "description": "Ultralytics YOLOv8n model trained on coco.yaml",
    "author": "Ultralytics",
    "task": "detect",
    "stride": "32",
    "imgsz": "[640, 640]",
    "names": "{0: 'person', 1: 'it\\'s'}",
}


def test_names_and_task_are_read():
    assert notes_in(WRITTEN) == ExportNotes("detect", ("person", "it's"), ultralytics=True)


def test_yolov5_writes_names_and_stride_alone():
    assert notes_in({"stride": "32", "names": "['a', 'b']"}) == ExportNotes("", ("a", "b"), ultralytics=True)


@pytest.mark.parametrize("names", ["", "{0: 'a', 2: 'b'}", "__import__('os')", "{0: 'a'", "[" * 5000, "7", "{[]: 1}"])
def test_names_that_are_none_say_nothing(names: str):
    assert notes_in({"author": "someone", "task": "detect", "names": names}) == ExportNotes()


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path):
    assert export_notes(tmp_path / "gone.onnx") == ExportNotes()
