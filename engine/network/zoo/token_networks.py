"""Networks that tell classes of texts apart, of token ids: convolutions, LSTM, GRU, a transformer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from onnx import TensorProto

from .architecture import NetworkSize
from .onnx_builder import OnnxBuilder, Tokens, Vector

_EMBEDDED, _HEADS, _LAYERS = 64, 4, 2


def text_cnn(net: OnnxBuilder, size: NetworkSize) -> None:
    """Kim 2014, Convolutional Neural Networks for Sentence Classification: windows of 3 to 5 tokens, the maximum of each."""
    x = _words(net, size)
    along = net.node("Transpose", x.name, perm=[0, 2, 1])
    maps, found = size.wide(64), []
    for window in (3, 4, 5):
        layer = f"window{window}"
        weight = net.drawn(f"{layer}.weight", maps, x.width, window, fan=x.width * window)
        bias = net.held(f"{layer}.bias", np.zeros(maps))
        y = net.node("Relu", net.node("Conv", along, weight, bias, layer=layer, kernel_shape=[window]))
        found.append(net.node("ReduceMax", y, axes=[2], keepdims=0))
    _told(net, Vector(net.node("Concat", *found, axis=1), 3 * maps), size)


def recurrent(operator: Literal["LSTM", "GRU"]) -> Callable[[OnnxBuilder, NetworkSize], None]:
    """Hochreiter and Schmidhuber 1997, Long Short-Term Memory; Cho et al. 2014, Learning Phrase Representations using RNN
    Encoder-Decoder. The maximum over time of the hidden states is what tells classes apart.
    """
    gates = {"LSTM": 4, "GRU": 3}[operator]

    def build(net: OnnxBuilder, size: NetworkSize) -> None:
        x = _words(net, size)
        hidden = size.wide(64)
        with net.within(operator.lower()):
            given = [
                net.drawn(name, 1, gates * hidden, width, fan=2 * hidden)
                for name, width in (("weight_ih", x.width), ("weight_hh", hidden))
            ]
            bias = np.zeros((1, 2 * gates * hidden))
            if operator == "LSTM":
                bias[:, 2 * hidden : 3 * hidden] = 1.0  # what is remembered at first: Jozefowicz et al. 2015, section 2.2
            more: dict[str, Any] = {"linear_before_reset": 1} if operator == "GRU" else {}
            along = net.node("Transpose", x.name, perm=[1, 0, 2])
            whole = net.node(operator, along, *given, net.held("bias", bias), hidden_size=hidden, **more)
        states = net.node("Squeeze", whole, net.ints(1))
        _told(net, Vector(net.node("ReduceMax", states, axes=[0], keepdims=0), hidden), size)

    return build


def transformer(net: OnnxBuilder, size: NetworkSize) -> None:
    """Vaswani et al. 2017, Attention Is All You Need: two encoder layers with four heads, normalised before each half (Xiong et
    al. 2020), the mean of the tokens that are no padding.
    """
    x = _words(net, size)
    mask = net.node("Cast", net.ids("attention_mask", size.tokens), to=TensorProto.FLOAT)
    there = net.node("Unsqueeze", mask, net.ints(2))
    absent = net.node("Unsqueeze", net.node("Mul", net.node("Sub", net.number(1.0), mask), net.number(-1e4)), net.ints(1, 2))
    spots = net.held("position.weight", net.draw.standard_normal((1, size.tokens, x.width)) * 0.02)
    x = x._replace(name=net.node("Add", x.name, spots))
    for number in range(_LAYERS):
        with net.within(f"layers.{number}"):
            x = _plus(net, x, _attention(net, net.layer_norm(x, "norm1"), absent))
            inner = net.dense(net.layer_norm(x, "norm2"), 2 * x.width, "linear1")
            x = _plus(net, x, net.dense(inner._replace(name=net.activation(inner.name, "gelu")), x.width, "linear2"))
    x = net.layer_norm(x, "norm")
    summed = net.node("ReduceSum", net.node("Mul", x.name, there), net.ints(1), keepdims=0)
    count = net.node("Max", net.node("ReduceSum", there, net.ints(1), keepdims=0), net.number(1.0))
    _told(net, Vector(net.node("Div", summed, count), x.width), size)


def _plus(net: OnnxBuilder, x: Tokens, y: Tokens) -> Tokens:
    return x._replace(name=net.node("Add", x.name, y.name))


def _attention(net: OnnxBuilder, x: Tokens, absent: str) -> Tokens:
    """Equation 1 of the paper, in heads."""
    of_a_head = x.width // _HEADS
    shape = net.ints(0, x.length, _HEADS, of_a_head)

    def heads(name: str, perm: list[int]) -> str:
        return net.node("Transpose", net.node("Reshape", net.dense(x, x.width, name).name, shape), perm=perm)

    scores = net.node("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
    scores = net.node("Add", net.node("Div", scores, net.number(np.sqrt(of_a_head))), absent)
    mixed = net.node("MatMul", net.node("Softmax", scores, axis=-1), heads("value", [0, 2, 1, 3]))
    flat = net.node("Reshape", net.node("Transpose", mixed, perm=[0, 2, 1, 3]), net.ints(0, x.length, x.width))
    return net.dense(x._replace(name=flat), x.width, "out")


def _words(net: OnnxBuilder, size: NetworkSize) -> Tokens:
    ids = net.ids("input_ids", size.tokens)
    return net.embedded(ids, size.vocabulary, size.tokens, size.wide(_EMBEDDED, least=4 * _HEADS))


def _told(net: OnnxBuilder, x: Vector, size: NetworkSize) -> None:
    net.output(net.linear(x, size.classes).name, "logits", size.classes)
