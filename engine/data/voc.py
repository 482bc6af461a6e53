"""Annotations as PASCAL VOC and labelImg write them: an XML file for each image."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, fromstring

import numpy as np

from .annotation import ImageAnnotation, said_size

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(data: bytes) -> ImageAnnotation:
    """One file. Corners are taken as they stand; `difficult` objects are passed over, as VOC's own evaluation does.

    Raises:
        ValueError: it is no such file, in words.
    """
    bare = data.replace(b"\0", b"")  # UTF-16 has one beside each letter
    if b"<!ENTITY" in bare or b"<!DOCTYPE" in bare:  # entities may grow without end
        raise ValueError("it declares entities, which no annotation needs")
    try:
        root = fromstring(data)  # noqa: S314  (nothing is declared)
    except (ParseError, LookupError) as error:
        raise ValueError(f"it is no XML ({error})") from None
    names, corners, passed_over = [], [], []
    for each in root.iter("object"):
        name, box = (each.findtext("name") or "").strip(), each.find("bndbox")
        if not name or box is None:
            raise ValueError("an object has no name or no bndbox")
        names.append(name)
        corners.append([_number(box, side) for side in _SIDES])
        passed_over.append((each.findtext("difficult") or "0").strip() not in ("0", ""))
    return ImageAnnotation(tuple(names), np.array(corners, np.float64).reshape(-1, 4), tuple(passed_over), _size(root))


def _size(root: Element) -> tuple[int, int] | None:
    size = root.find("size")
    if size is None:
        return None
    return said_size(_number(size, "width"), _number(size, "height"))


def _number(parent: Element, key: str) -> float:
    text = (parent.findtext(key) or "").strip()
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"`{key}` is {text!r}, no number") from None
