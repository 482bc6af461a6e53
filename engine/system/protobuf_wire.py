"""Protobuf's wire format (protobuf.dev, "Encoding"), as far as fields that have a length need it.

For what is too large to be parsed as a message, and where no protobuf package may be imported.
"""

from __future__ import annotations

from typing import BinaryIO

VARINT, EIGHT_BYTES, SIZED, FOUR_BYTES = 0, 1, 2, 5
"""Wire types: how a field's value is written."""
_WIDTHS = {EIGHT_BYTES: 8, FOUR_BYTES: 4}


def varint(file: BinaryIO) -> int:
    """A number at the file's place.

    Raises:
        ValueError: it is none, or the file ends within it.
    """
    value = shift = 0
    while shift < 70:
        byte = file.read(1)
        if not byte:
            raise ValueError("ends within a field")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    raise ValueError("no protobuf message")


def varint_in(data: bytes, at: int) -> tuple[int, int]:
    """A number in bytes, and the place behind it.

    Raises:
        ValueError: the bytes end within it.
    """
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("ends within a field")


def header(file: BinaryIO, end: int) -> tuple[int, int, int]:
    """The number and wire type of the field at the file's place, and the bytes of its value, at which the file stands now; a
    varint is passed over, and has none.

    Raises:
        ValueError: this is no field, or it ends past `end`.
    """
    tag = varint(file)
    number, wire = tag >> 3, tag & 7
    if number == 0 or wire not in (VARINT, EIGHT_BYTES, SIZED, FOUR_BYTES):
        raise ValueError("no protobuf message")
    length = varint(file) if wire == SIZED else _WIDTHS.get(wire, 0)
    if wire == VARINT:
        varint(file)
    if file.tell() + length > end:
        raise ValueError("ends within a field")
    return number, wire, length


def field_of(number: int, payload: bytes) -> bytes:
    """A field whose value is bytes, a text or a message."""
    return field_start(number, len(payload)) + payload


def field_start(number: int, length: int) -> bytes:
    """What stands before the value of such a field."""
    return encoded(number << 3 | SIZED) + encoded(length)


def encoded(value: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
