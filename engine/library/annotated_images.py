"""Which files of a set annotate its images, by their names alone: VOC XML, YOLO text files, COCO JSON, or masks.

Apart from `datasets.py` because the reader pairs images with annotations by the same names. Light: no file is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

AnnotationForm = Literal["VOC XML", "YOLO text files", "COCO JSON"]

IMAGE_SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"])
_BESIDE: dict[str, AnnotationForm] = {".xml": "VOC XML", ".txt": "YOLO text files"}
"""A file for each image, of the same name."""
_FOLDERS = frozenset(
    ["images", "image", "img", "imgs", "jpegimages", "annotations", "annotation", "xml", "xmls", "labels", "label"]
)
"""Folders that part images from what is said of them; `train` and the like stay."""
_MASKS_ALONE = frozenset(["mask", "masks", "segmentationclass", "segmentationclassraw"])
_MASK_FOLDERS = _MASKS_ALONE | {"labels", "label", "annotations", "annotation", "gt", "targets"}
_MASK_ENDS = ("_mask", "-mask", "_label", "_labelids", "_gt")
_COCO_WORDS = ("coco", "instances", "annotation", "keypoints")
KEYPOINTS = "keypoints"
"""Of a COCO document whose name has it: poses are meant."""


def suffix_of(name: str) -> str:
    """Of a file's name, in lower case: `.jpg`."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  (a name in a zip, which no Path should change)


def is_hidden(name: str) -> bool:
    """Whether a part of the name is a hidden file's, or what macOS puts beside files in a zip."""
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def pair_key(name: str) -> str:
    """The same for an image and its annotation: `train/images/7.jpg` and `train/labels/7.txt` are `train/7`."""
    *folders, file = name.split("/")
    return "/".join([*(folder for folder in folders if folder.lower() not in _FOLDERS), os.path.splitext(file)[0]])  # noqa: PTH122


def annotation_forms(names: Iterable[str]) -> dict[AnnotationForm, list[str]]:
    """The files that annotate images, by their form; empty: the images have none."""
    listed = [name for name in names if not is_hidden(name)]
    images = {pair_key(name) for name in listed if suffix_of(name) in IMAGE_SUFFIXES}
    stems = {key.rpartition("/")[2] for key in images}
    found: dict[AnnotationForm, list[str]] = {}
    for suffix, form in _BESIDE.items():
        mine = [name for name in listed if suffix_of(name) == suffix]
        if any(pair_key(name).rpartition("/")[2] in stems for name in mine):
            found[form] = mine
    documents = [name for name in listed if suffix_of(name) == ".json" and _may_be_coco(name)] if images else []
    return {**found, "COCO JSON": documents} if documents else found


def masks_of(names: Iterable[str]) -> dict[str, str]:
    """Image to its mask: a PNG of the same name in a folder for masks, beside the image with `_mask` behind its name, or beside
    an image that is no PNG. Empty: there are none.
    """
    listed = [name for name in names if not is_hidden(name) and suffix_of(name) in IMAGE_SUFFIXES]
    others = {pair_key(name) for name in listed if suffix_of(name) != ".png"}
    every = {pair_key(name) for name in listed}
    masks: dict[str, str] = {}
    for name in sorted(listed):
        if suffix_of(name) != ".png":
            continue
        key, base = pair_key(name), _without_end(name)
        if any(folder.lower() in _MASK_FOLDERS for folder in name.split("/")[:-1]):
            masks[_without_end(name, folders=True)] = name
        elif key in others:
            masks[key] = name
        elif base != key and base in every:
            masks[base] = name
    said = set(masks.values())
    return {name: masks[pair_key(name)] for name in sorted(listed) if name not in said and pair_key(name) in masks}


def mask_folder(name: str) -> bool:
    """Whether a file lies in a folder that is for masks and for nothing else."""
    return any(folder.lower() in _MASKS_ALONE for folder in name.split("/")[:-1])


def _without_end(name: str, *, folders: bool = False) -> str:
    """The key of the image that a mask is of: `masks/7_mask.png` is of `7`."""
    parts = [part for part in name.split("/")[:-1] if not folders or part.lower() not in _MASK_FOLDERS]
    key = pair_key("/".join([*parts, name.rpartition("/")[2]]))
    return next((key.removesuffix(end) for end in _MASK_ENDS if key.lower().endswith(end)), key)


def _may_be_coco(name: str) -> bool:
    return any(word in part.lower() for part in name.split("/")[-2:] for word in _COCO_WORDS)
