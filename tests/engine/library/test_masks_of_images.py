"""Which file is the mask of which image, by their names alone."""

from __future__ import annotations

import pytest
from edgetui.engine.library.annotated_images import masks_of


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["images/1.jpg", "masks/1.png"], {"images/1.jpg": "masks/1.png"}),
        (["train/images/1.png", "train/labels/1.png"], {"train/images/1.png": "train/labels/1.png"}),
        (["JPEGImages/7.jpg", "SegmentationClass/7.png"], {"JPEGImages/7.jpg": "SegmentationClass/7.png"}),
        (["a/1.jpg", "a/1.png"], {"a/1.jpg": "a/1.png"}),
        (["1.png", "1_mask.png"], {"1.png": "1_mask.png"}),
        (["images/1.png", "masks/1_mask.png"], {"images/1.png": "masks/1_mask.png"}),
        (["images/train/1.jpg", "images/val/1.jpg", "masks/val/1.png"], {"images/val/1.jpg": "masks/val/1.png"}),
        (["cat/1.png", "dog/1.png"], {}),
        (["images/1.jpg", "masks/2.png"], {}),
        (["images/1.jpg", "masks/.1.png"], {}),
    ],
)
def test_masks_are_found(names, pairs):
    assert masks_of(names) == pairs
