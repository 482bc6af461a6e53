"""Files as damage or malice leaves them: bytes changed anywhere, fields of a model changed to what no exporter writes."""

from __future__ import annotations

import random

from google.protobuf.message import Message
from onnx import AttributeProto, ModelProto

_NUMBERS = (0, 1, -1, 2, 7, 99, 2**31 - 1, 2**31, 2**62, -(2**63))
_TEXTS = (b"", b"x", b"a\0b", b"../../x", b"?", "é".encode(), b"x" * 5000)
_LINES = (
    "nan",
    "-1",
    "1e400",
    "9" * 400,
    '""',
    "[]",
    "{a=1}",
    "true",
    '"\\u0000"',
    "1979-05-27",
    "[" * 200,
    '"/dev/zero"',
    "[1, 'a']",
)
NO_UTF8 = b"\xc8\xff"


def bytes_changed(data: bytes, chance: random.Random) -> bytes:
    """One to eight bytes replaced, taken out or put in."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(changed))
        how = chance.randrange(4)
        if how == 0:
            changed[at] = chance.randrange(256)
        elif how == 1:
            changed[at] ^= 1 << chance.randrange(8)
        elif how == 2 and len(changed) > 20:
            del changed[at : at + chance.randrange(1, 9)]
        else:
            changed[at:at] = chance.randbytes(chance.randrange(1, 9))
    return bytes(changed)


def lines_changed(data: bytes, chance: random.Random) -> bytes:
    """A TOML file in which a value, a line or bytes are others."""
    if chance.random() < 0.3:
        return bytes_changed(data, chance)
    lines = data.decode().splitlines()
    at = chance.randrange(len(lines))
    if "=" in lines[at] and chance.random() < 0.8:
        lines[at] = f"{lines[at].split('=')[0]}= {chance.choice(_LINES)}"
    elif chance.random() < 0.5:
        lines.insert(at, chance.choice(lines))
    else:
        del lines[at]
    return "\n".join(lines).encode()


def model_changed(data: bytes, chance: random.Random) -> bytes:
    """A model with one to three fields changed, or with other bytes."""
    if chance.random() < 0.2:
        return bytes_changed(data, chance)
    model = ModelProto()
    model.ParseFromString(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        try:
            _change_attribute(model, chance) if chance.random() < 0.3 else _change(_somewhere(model, chance), chance)
        except (ValueError, TypeError):  # protobuf refuses the value; another mutation does as well
            continue
    return model.SerializeToString()


def _somewhere(message: Message, chance: random.Random) -> Message:
    inner: list[Message] = []
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            inner.extend(value if field.is_repeated else (value,))
    return message if not inner or chance.random() < 0.2 else _somewhere(chance.choice(inner), chance)


def _change(message: Message, chance: random.Random) -> None:
    field = chance.choice(list(message.DESCRIPTOR.fields))
    if chance.random() < 0.2:
        message.ClearField(field.name)
    elif field.type == field.TYPE_MESSAGE:
        value = getattr(message, field.name)
        if not field.is_repeated:
            value.SetInParent()
        elif len(value) and chance.random() < 0.7:
            chosen = chance.randrange(len(value))
            if chance.random() < 0.5:
                del value[chosen]
            else:
                value.add().CopyFrom(value[chosen])
        else:
            value.add()
    elif field.type == field.TYPE_STRING and field.number < 16 and chance.random() < 0.2:
        message.MergeFromString(bytes([field.number << 3 | 2, len(NO_UTF8)]) + NO_UTF8)
    else:
        _set(message, field.name, _odd(field, chance), chance, repeated=field.is_repeated)


def _odd(field: object, chance: random.Random) -> object:
    kind = field.cpp_type  # type: ignore[attr-defined]
    if kind == field.CPPTYPE_STRING:  # type: ignore[attr-defined]
        text = chance.choice(_TEXTS)
        return text.decode() if field.type == field.TYPE_STRING else text  # type: ignore[attr-defined]
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):  # type: ignore[attr-defined]
        return chance.choice((0.0, -1.0, float("nan"), float("inf"), 1e30))
    return chance.choice((*_NUMBERS, *range(30)))


def _set(message: Message, name: str, value: object, chance: random.Random, *, repeated: bool) -> None:
    if not repeated:
        setattr(message, name, value)
        return
    held = getattr(message, name)
    if len(held) and chance.random() < 0.7:
        held[chance.randrange(len(held))] = value
    else:
        held.append(value)


def _change_attribute(model: ModelProto, chance: random.Random) -> None:
    node = chance.choice(list(model.graph.node))
    if node.attribute and chance.random() < 0.7:
        entry = chance.choice(list(node.attribute))
        entry.type = chance.choice(list(AttributeProto.AttributeType.values()))
    else:
        node.op_type = chance.choice(("Conv", "Gemm", "MatMul", "If", "Loop", "Scan", "Constant", "Reshape", "TopK", "LSTM"))
