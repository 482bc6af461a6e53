"""LSTM and GRU in PyTorch, step by step, by the formulas of the ONNX standard.

They are loops; PyTorch's own know another order of gates, and fewer forms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .call import Call, Table

if TYPE_CHECKING:
    from torch import Tensor

_Step = Callable[..., "tuple[Tensor, ...]"]
"""(what the inputs give to the gates, r, the second half of the bias, states) to the new states."""


def _lstm(call: Call, x: Tensor, w: Tensor, r: Tensor, *more: Tensor | None) -> tuple[Tensor, ...]:
    bias, lengths, h0, c0, peepholes = (*more, None, None, None, None, None)[:5]
    if peepholes is not None:
        raise call.refuse("it has peepholes")
    _refuse_forms(call, ["Sigmoid", "Tanh", "Tanh"], lengths)
    torch = call.torch

    def step(gates: Tensor, r_one: Tensor, rb: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        h, c = state
        i, o, f, g = (gates + h @ r_one.t() + rb).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    return _unrolled(call, x, w, r, bias, (h0, c0), step)


def _gru(call: Call, x: Tensor, w: Tensor, r: Tensor, *more: Tensor | None) -> tuple[Tensor, ...]:
    bias, lengths, h0 = (*more, None, None, None)[:3]
    _refuse_forms(call, ["Sigmoid", "Tanh"], lengths)
    torch, after = call.torch, call.whole("linear_before_reset", 0)

    def step(gates: Tensor, r_one: Tensor, rb: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = state
        size = h.shape[-1]
        z, reset, new = gates.chunk(3, dim=-1)
        both = h @ r_one[: 2 * size].t() + rb[: 2 * size]
        z, reset = torch.sigmoid(z + both[..., :size]), torch.sigmoid(reset + both[..., size:])
        r_new, rb_new = r_one[2 * size :].t(), rb[2 * size :]
        turned = reset * (h @ r_new + rb_new) if after else (reset * h) @ r_new + rb_new
        return ((1 - z) * torch.tanh(new + turned) + z * h,)

    return _unrolled(call, x, w, r, bias, (h0,), step)


def _refuse_forms(call: Call, usual: list[str], lengths: Tensor | None) -> None:
    given = call.words("activations")
    if given and given != usual * (len(given) // len(usual)):
        raise call.refuse(f"its activations are {', '.join(given)}")
    if lengths is not None and len(set(call.read(lengths))) > 1:
        raise call.refuse("its sequences have several lengths")
    if call.has("clip") or call.whole("input_forget", 0):
        raise call.refuse("it clips its gates, or couples two of them")


def _unrolled(
    call: Call, x: Tensor, w: Tensor, r: Tensor, bias: Tensor | None, first: tuple[Tensor | None, ...], step: _Step
) -> tuple[Tensor, ...]:
    """Every direction over all steps. x: (time, batch, inputs), with `layout` 1 (batch, time, inputs); w, r: (directions, gates
    x hidden, ...); returns all hidden states, (time, directions, batch, hidden), then the last of each state.
    """
    torch, batch_first = call.torch, bool(call.whole("layout", 0))
    x = x.transpose(0, 1) if batch_first else x
    rows, hidden = w.shape[1], r.shape[2]
    way = call.text("direction", "forward")
    every, last = [], []
    for place in range(w.shape[0]):
        backwards = way == "reverse" or place == 1
        both = bias[place] if bias is not None else x.new_zeros(2 * rows)
        gates = x @ w[place].t() + both[:rows]
        state = tuple(_begin(x, one, place, hidden, batch_first=batch_first) for one in first)
        seen = []
        order = range(x.shape[0] - 1, -1, -1) if backwards else range(x.shape[0])
        for moment in order:
            state = step(gates[moment], r[place], both[rows:], state)
            seen.append(state[0])
        every.append(torch.stack(seen[::-1] if backwards else seen))
        last.append(state)
    ends = [torch.stack([state[index] for state in last]) for index in range(len(first))]
    whole = torch.stack(every, dim=1)
    if batch_first:
        whole, ends = whole.permute(2, 0, 1, 3), [end.transpose(0, 1) for end in ends]
    return (whole, *ends)


def _begin(x: Tensor, given: Tensor | None, place: int, hidden: int, *, batch_first: bool) -> Tensor:
    if given is None:
        return x.new_zeros(x.shape[1], hidden)
    found: Tensor = given[:, place] if batch_first else given[place]
    return found


TABLE: Table = {"GRU": _gru, "LSTM": _lstm}
