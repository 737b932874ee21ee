"""The operators of ONNX that networks are trained through, in PyTorch.

Each takes the node, with its attributes written out as the canonical form has them, and its inputs in order; None
stands for an input left out. Inputs that say sizes, indices or bounds are constants, read from the node.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # what everyone calls it
from torch import Tensor

from qonnx_tools.errors import UnsupportedError
from qonnx_tools.finetune.convolution import convolution
from qonnx_tools.graph import gs, input_value

Operator = Callable[[gs.Node, Sequence[Any]], Any]


def _two_sided(pads: Sequence[int]) -> list[int]:
    """Return ONNX pads ``[begin.., end..]`` in the order of ``F.pad``: of the last dimension first."""
    half = len(pads) // 2
    return [int(pads[side * half + axis]) for axis in reversed(range(half)) for side in (0, 1)]


def _padded(node: gs.Node, x: Tensor, value: float = 0.0) -> tuple[Tensor, list[int]]:
    """Return the padding that a layer can do itself, and ``x`` with the rest of it done."""
    pads = list(node.attrs.get("pads", [0] * (2 * (x.dim() - 2))))
    half = len(pads) // 2
    if pads[:half] == pads[half:]:
        return x, pads[:half]
    return F.pad(x, _two_sided(pads), value=value), [0] * half


def _conv(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x, weight, bias = [*inputs, None][:3]
    padded, padding = _padded(node, x)
    attrs = node.attrs
    return convolution(padded, weight, bias, attrs["strides"], padding, attrs["dilations"], attrs.get("group", 1))


def _conv_transpose(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x, weight, bias = [*inputs, None][:3]
    spatial = x.dim() - 2
    pads = list(node.attrs.get("pads", [0] * (2 * spatial)))
    if "output_shape" in node.attrs or pads[:spatial] != pads[spatial:]:
        raise UnsupportedError(node.name, "a ConvTranspose with output_shape or uneven pads is not trained through")
    function = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[spatial]
    attrs, beyond = node.attrs, node.attrs.get("output_padding", [0] * spatial)
    strides, dilations = attrs["strides"], attrs["dilations"]
    return function(x, weight, bias, strides, pads[:spatial], beyond, attrs.get("group", 1), dilations)


def _gemm(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x, weight, bias = [*inputs, None][:3]
    attrs = node.attrs
    left = x.t() if attrs.get("transA", 0) else x
    right = weight.t() if attrs.get("transB", 0) else weight
    product = left @ right
    alpha, beta = float(attrs.get("alpha", 1.0)), float(attrs.get("beta", 1.0))
    product = product if alpha == 1.0 else product * alpha
    return product if bias is None else product + (bias if beta == 1.0 else bias * beta)


def _pool(node: gs.Node, x: Tensor) -> dict[str, Any]:
    attrs = node.attrs
    return {
        "kernel_size": list(attrs["kernel_shape"]),
        "stride": list(attrs.get("strides", [1] * (x.dim() - 2))),
        "ceil_mode": bool(attrs.get("ceil_mode", 0)),
    }


def _max_pool(node: gs.Node, inputs: Sequence[Any]) -> Any:
    (x,) = inputs
    padded, padding = _padded(node, x, float("-inf"))
    options = _pool(node, x)
    if any(2 * pad > size for pad, size in zip(padding, options["kernel_size"], strict=True)):
        padded, padding = F.pad(x, _two_sided(node.attrs["pads"]), value=float("-inf")), [0] * len(padding)
    function = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[x.dim() - 2]
    dilation = list(node.attrs.get("dilations", [1] * (x.dim() - 2)))
    return function(padded, padding=padding, dilation=dilation, **options)


def _average_pool(node: gs.Node, inputs: Sequence[Any]) -> Any:
    (x,) = inputs
    padded, padding = _padded(node, x)
    counted = bool(node.attrs.get("count_include_pad", 0))
    dilated = any(step != 1 for step in node.attrs.get("dilations", [1]))
    if dilated or (padded is not x and not counted):
        raise UnsupportedError(node.name, "an AveragePool with uneven pads or dilations is not trained through")
    function = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[x.dim() - 2]
    return function(padded, padding=padding, count_include_pad=counted, **_pool(node, x))


def _over_positions(x: Tensor) -> list[int]:
    return list(range(2, x.dim()))


def _global_average_pool(node: gs.Node, inputs: Sequence[Any]) -> Any:  # noqa: ARG001
    return inputs[0].mean(_over_positions(inputs[0]), keepdim=True)


def _global_max_pool(node: gs.Node, inputs: Sequence[Any]) -> Any:  # noqa: ARG001
    return inputs[0].amax(_over_positions(inputs[0]), keepdim=True)


def _constant(node: gs.Node, at: int, name: str) -> Any:
    """Return what an input says that must be constant, or the attribute that older opsets have for it."""
    if name in node.attrs:
        return node.attrs[name]
    value = input_value(node, at)
    if value is None and at < len(node.inputs) and node.inputs[at].name:
        raise UnsupportedError(
            node.name, f"its input '{node.inputs[at].name}' is computed; only constants are supported"
        )
    return value


def _clip(node: gs.Node, inputs: Sequence[Any]) -> Any:
    low, high = (_constant(node, at, name) for at, name in ((1, "min"), (2, "max")))
    x: Tensor = inputs[0]
    return x.clamp(None if low is None else float(low), None if high is None else float(high))


def _axes(node: gs.Node, rank: int) -> list[int]:
    given = _constant(node, 1, "axes")
    if given is None and node.attrs.get("noop_with_empty_axes", 0):
        return []
    return list(range(rank)) if given is None else [int(axis) % rank for axis in np.ravel(given)]


def _reduce(function: Callable[..., Any]) -> Operator:
    def run(node: gs.Node, inputs: Sequence[Any]) -> Any:
        x = inputs[0]
        axes = _axes(node, x.dim())
        return function(x, axes, keepdim=bool(node.attrs.get("keepdims", 1))) if axes else x

    return run


def _flatten(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x = inputs[0]
    axis = int(node.attrs.get("axis", 1)) % (x.dim() + 1)
    return x.reshape(int(np.prod(x.shape[:axis], dtype=np.int64)), -1)


def _reshape(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x = inputs[0]
    sizes = [int(size) for size in _constant(node, 1, "shape")]
    if not node.attrs.get("allowzero", 0):
        sizes = [x.shape[at] if size == 0 else size for at, size in enumerate(sizes)]
    if -1 not in sizes and sizes and sizes[0] == 1 and x.numel() != np.prod(sizes):
        sizes[0] = -1  # exported for a batch of one
    return x.reshape(sizes)


def _transpose(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x = inputs[0]
    return x.permute(list(node.attrs.get("perm", reversed(range(x.dim())))))


def _concat(node: gs.Node, inputs: Sequence[Any]) -> Any:
    return torch.cat(list(inputs), dim=int(node.attrs["axis"]))


def _slice(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x: Tensor = inputs[0]
    starts, ends = (np.ravel(_constant(node, at, name)) for at, name in ((1, "starts"), (2, "ends")))
    axes, steps = _constant(node, 3, "axes"), _constant(node, 4, "steps")
    chosen: list[slice] = [slice(None)] * x.dim()
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = at if axes is None else int(np.ravel(axes)[at]) % x.dim()
        step = 1 if steps is None else int(np.ravel(steps)[at])
        if step < 1:
            raise UnsupportedError(node.name, "a Slice that runs backward is not trained through")
        chosen[axis] = slice(int(start), int(end), step)
    return x[tuple(chosen)]


def _pad(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x = inputs[0]
    pads, axes = [int(pad) for pad in np.ravel(_constant(node, 1, "pads"))], _constant(node, 3, "axes")
    if axes is not None:
        whole, half = [0] * (2 * x.dim()), len(pads) // 2
        for at, axis in enumerate(np.ravel(axes)):
            whole[int(axis) % x.dim()], whole[int(axis) % x.dim() + x.dim()] = pads[at], pads[half + at]
        pads = whole
    mode = str(node.attrs.get("mode", "constant"))
    value = _constant(node, 2, "value")
    if mode != "constant":
        raise UnsupportedError(node.name, f"a Pad of mode {mode} is not trained through")
    return F.pad(x, _two_sided(pads), value=0.0 if value is None else float(np.ravel(value)[0]))


def _squeeze(node: gs.Node, inputs: Sequence[Any]) -> Any:
    axes = _constant(node, 1, "axes")
    return inputs[0].squeeze() if axes is None else inputs[0].squeeze([int(axis) for axis in np.ravel(axes)])


def _unsqueeze(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x, axes = inputs[0], [int(axis) for axis in np.ravel(_constant(node, 1, "axes"))]
    for axis in sorted(axis % (x.dim() + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _resize(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x, attrs = inputs[0], node.attrs
    if attrs.get("mode", "nearest") != "nearest":
        raise UnsupportedError(node.name, "only a Resize to the nearest is trained through")
    upsample = node.op == "Upsample"
    scales = _constant(node, 1 if upsample else 2, "scales")
    sizes = None if upsample else _constant(node, 3, "sizes")
    rounding = "floor" if upsample else str(attrs.get("nearest_mode", "round_prefer_floor"))
    coordinates = "asymmetric" if upsample else str(attrs.get("coordinate_transformation_mode", "half_pixel"))
    if coordinates not in COORDINATES or rounding not in NEAREST:
        raise UnsupportedError(node.name, f"a Resize of {coordinates} and {rounding} is not trained through")
    for axis in range(2, x.dim()):
        before = x.shape[axis]
        after = int(sizes[axis]) if sizes is not None and len(sizes) else int(np.floor(before * float(scales[axis])))
        scale = after / before if sizes is not None and len(sizes) else float(scales[axis])
        if after != before:
            places = NEAREST[rounding](COORDINATES[coordinates](np.arange(after), scale, before, after))
            index = np.clip(places, 0, before - 1).astype(np.int64)
            x = x.index_select(axis, torch.as_tensor(index, device=x.device))
    return x


COORDINATES: dict[str, Callable[..., Any]] = {
    "asymmetric": lambda place, scale, before, after: place / scale,  # noqa: ARG005
    "half_pixel": lambda place, scale, before, after: (place + 0.5) / scale - 0.5,  # noqa: ARG005
    "pytorch_half_pixel": lambda place, scale, before, after: (  # noqa: ARG005
        (place + 0.5) / scale - 0.5 if after > 1 else place * 0.0
    ),
    "align_corners": lambda place, scale, before, after: place * (before - 1) / max(after - 1, 1),  # noqa: ARG005
}
"""From the place in what a Resize makes to the one in what it reads."""
NEAREST: dict[str, Callable[..., Any]] = {
    "round_prefer_floor": lambda place: np.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: np.floor(place + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _depth_to_space(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x, block = inputs[0], int(node.attrs["blocksize"])
    n, channels, height, width = x.shape
    if node.attrs.get("mode", "DCR") == "CRD":
        parts = x.reshape(n, channels // block**2, block, block, height, width).permute(0, 1, 4, 2, 5, 3)
    else:
        parts = x.reshape(n, block, block, channels // block**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, channels // block**2, height * block, width * block)


def _gather(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x, axis, index = inputs[0], int(node.attrs.get("axis", 0)), np.asarray(_constant(node, 1, "indices"))
    axis %= x.dim()
    flat = torch.as_tensor(np.where(index < 0, index + x.shape[axis], index).ravel(), device=x.device)
    chosen: Tensor = x.index_select(axis, flat)
    return chosen.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _batch_normalization(node: gs.Node, inputs: Sequence[Any]) -> Any:
    x, scale, offset, mean, variance = inputs[:5]
    return F.batch_norm(x, mean, variance, scale, offset, eps=float(node.attrs.get("epsilon", 1e-5)))


def _of_one(function: Callable[..., Any]) -> Operator:
    return lambda _, inputs: function(inputs[0])


def _of_all(function: Callable[..., Any]) -> Operator:
    def run(_: gs.Node, inputs: Sequence[Any]) -> Any:
        total: Any = inputs[0]
        for other in inputs[1:]:
            total = function(total, other)
        return total

    return run


def _mean(node: gs.Node, inputs: Sequence[Any]) -> Any:
    return OPERATORS["Sum"](node, inputs) / len(inputs)


OPERATORS: dict[str, Operator] = {
    "Add": _of_all(torch.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "Div": _of_all(torch.div),
    "Dropout": _of_one(lambda x: x),
    "Elu": lambda node, inputs: F.elu(inputs[0], float(node.attrs.get("alpha", 1.0))),
    "Exp": _of_one(torch.exp),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": lambda node, inputs: F.gelu(inputs[0], approximate=str(node.attrs.get("approximate", "none"))),
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "HardSigmoid": lambda node, inputs: (
        inputs[0] * float(node.attrs.get("alpha", 0.2)) + float(node.attrs.get("beta", 0.5))
    ).clamp(0, 1),
    "HardSwish": _of_one(F.hardswish),
    "Identity": _of_one(lambda x: x),
    "LeakyRelu": lambda node, inputs: F.leaky_relu(inputs[0], float(node.attrs.get("alpha", 0.01))),
    "LogSoftmax": lambda node, inputs: F.log_softmax(inputs[0], int(node.attrs.get("axis", -1))),
    "MatMul": _of_all(torch.matmul),
    "Max": _of_all(torch.maximum),
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Min": _of_all(torch.minimum),
    "Mish": _of_one(F.mish),
    "Mul": _of_all(torch.mul),
    "Neg": _of_one(torch.neg),
    "PRelu": lambda _, inputs: torch.where(inputs[0] < 0, inputs[0] * inputs[1], inputs[0]),
    "Pad": _pad,
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _of_one(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _of_one(torch.sigmoid),
    "Slice": _slice,
    "Softmax": lambda node, inputs: F.softmax(inputs[0], int(node.attrs.get("axis", -1))),
    "Softplus": _of_one(F.softplus),
    "Squeeze": _squeeze,
    "Sub": _of_all(torch.sub),
    "Sum": _of_all(torch.add),
    "Tanh": _of_one(torch.tanh),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Upsample": _resize,
}
"""By name, of the default domain."""


def operator_of(node: gs.Node, name: str) -> Operator:
    """Return what computes ``node``, called ``name``; ``UnsupportedError`` for an operator that there is not."""
    found = OPERATORS.get(name)
    if found is None:
        raise UnsupportedError(node.name, f"{name} is not trained through; there are {', '.join(sorted(OPERATORS))}")
    return found
