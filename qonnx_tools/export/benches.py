"""How the layers of a package are simulated: the bench of each layer on codes, and its parameters.

A bench streams the exported inputs and constants of a layer through the processing elements and compares every output
with the golden one. The widths, shifts and sizes that elements are built for are its parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qonnx_tools.arithmetic.accumulator import bits_for
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.export.bench_parameters import LayerView, Parameters
from qonnx_tools.export.manifest import Layer, Package, file_of
from qonnx_tools.ops import DOMAIN

WINDOW, ELEMENTWISE = "qonnx_window_bench", "qonnx_elementwise_bench"
KINDS = {"Fixed": 0, "Shift": 1, "Log": 2}
AVERAGE, MAXIMUM = 3, 4
AFFINE, ADD, MULTIPLY, TABLE, THRESHOLDS = range(5)


@dataclass(frozen=True)
class Bench:
    """What simulates a layer.

    Attributes:
        name: of the Verilog module.
        layer: name of the layer.
        bench: the module that it is made of.
        parameters: of that.
    """

    name: str
    layer: str
    bench: str
    parameters: Mapping[str, int | str]


def bench_of(package: Package, layer: Layer) -> Bench | str:
    """Return the bench of a layer, or the reason why it has none."""
    wires = [package.wires[name] for name in (*layer.inputs, *layer.outputs)]
    if any(wire.kind != "codes" for wire in wires):
        return "it computes floats: the host's"
    if layer.node.domain != DOMAIN:
        return f"{layer.node.op} moves codes, which takes no element"
    if not package.vectors:
        return "the package has no vectors"
    find = _FINDERS.get(layer.node.op)
    if find is None:
        return f"there is no element for {layer.node.op}"
    found = find(LayerView(package, layer))
    if isinstance(found, str):
        return found
    bench, parameters = found
    name = f"layer_{layer.index:03d}"
    return Bench(name, layer.node.name, bench, {"NAME": name} | parameters)


Found = tuple[str, Parameters] | str


def _weighted(view: LayerView) -> Found:
    of, op = view.attributes, view.layer.node.op
    name, *residual = view.layer.inputs
    kind = next(number for prefix, number in KINDS.items() if op.startswith(prefix))
    weights = view.constant("w")
    if weights is None:
        return "its weights are computed"
    steps, bits = int(of.get("steps", 1)), int(of["accumulator_bits"])
    adds = op.endswith("ConvAdd")
    conv = "conv_" if adds else ""
    reach = bits + (kind > 0 and steps == 2)
    parameters: Parameters = {
        "KIND": kind,
        **view.wire("X", name),
        **_size(view, weights.numbers.shape),
        "W_FILE": f"{file_of(view.layer, weights)}.hex",
        "W_BITS": weights.bits,
        "ACC_BITS": bits,
        **view.memory("BIAS", "bias"),
        **view.affine(-(2 ** (reach - 1)), 2 ** (reach - 1) - 1),
        "OUT_BITS": int(of[f"{conv}bits"]),
        **view.codes(conv),
        **view.wire("Y", view.layer.outputs[0]),
    }
    if kind:
        parameters["STEPS"] = steps
    if kind == KINDS["Log"]:
        most = Log(int(of["x_bits"]), 2.0**126, 2, bool(of["x_signed"])).count
        parameters |= {"GUARD_BITS": int(of["guard_bits"]), "X_MOST": most}
    if adds:
        parameters |= {
            "ADDS": 1,
            **view.wire("RESIDUAL", residual[0]),
            "LEFT": view.numbers("left", 0)[0],
            "RESIDUAL_LEFT": view.numbers("residual_left", 0)[0],
            "SUM_SHIFT": view.numbers("sum_shift", 0)[0],
            **view.codes(names="SUM_"),
        }
    return WINDOW, parameters


def _size(view: LayerView, weights: Sequence[int]) -> Parameters:
    """Return the sizes of a convolution or a matrix product, whose weights are [filters, depth, ..]."""
    of, x, y = view.attributes, view.shape(view.layer.inputs[0]), view.shape(view.layer.outputs[0])
    sizes: Parameters = {"IMAGES": view.images * x[0], "CHANNELS": x[1], "FILTERS": int(weights[0])}
    if len(x) == 2:
        return sizes
    return sizes | _window(of, x[2:], y[2:], tuple(map(int, weights[2:]))) | {"GROUP": int(of["group"])}


def _window(
    of: Mapping[str, Any], given: tuple[int, ...], made: tuple[int, ...], kernel: tuple[int, ...]
) -> Parameters:
    ones, zeros = [1] * len(given), [0] * (2 * len(given))
    strides, dilations = of.get("strides") or ones, of.get("dilations") or ones
    pads = (of.get("pads") or zeros)[: len(given)]
    sizes: Parameters = {}
    for names, values, fill in (
        (("HEIGHT", "WIDTH"), given, 1),
        (("OUT_HEIGHT", "OUT_WIDTH"), made, 1),
        (("KERNEL_H", "KERNEL_W"), kernel, 1),
        (("STRIDE_H", "STRIDE_W"), strides, 1),
        (("DILATION_H", "DILATION_W"), dilations, 1),
        (("PAD_TOP", "PAD_LEFT"), pads, 0),
    ):
        both = [fill] * (2 - len(given)) + [int(value) for value in values]
        sizes |= dict(zip(names, both, strict=True))
    return sizes


def _pooled(view: LayerView) -> Found:
    of, name = view.attributes, view.layer.inputs[0]
    x, y = view.shape(name), view.shape(view.layer.outputs[0])
    kernel = tuple(map(int, of.get("kernel_shape") or x[2:]))
    parameters: Parameters = {
        "IMAGES": view.images * x[0], "CHANNELS": x[1], "FILTERS": x[1], "GROUP": x[1],
        **_window(of, x[2:], y[2:], kernel),
        **view.wire("X", name),
        **view.wire("Y", view.layer.outputs[0]),
    }  # fmt: skip
    if view.layer.node.op == "FixedMaxPool":
        return WINDOW, {"KIND": MAXIMUM, **parameters}
    low, high = view.package.wires[name].code_range
    size = int(np.prod(kernel))
    return WINDOW, {
        "KIND": AVERAGE,
        **parameters,
        "W_BITS": 2,
        "ACC_BITS": bits_for(size * low, size * high),
        **view.affine(size * low, size * high),
        "OUT_BITS": int(of["bits"]),
        **view.codes(),
    }


def _per_channel(view: LayerView) -> Found:
    name = view.layer.inputs[0]
    shape = view.shape(name)
    axis = int(view.attributes.get("axis", 1)) % len(shape)
    shift = view.constant("shift")
    if view.layer.node.op == "Requantize" and shift is not None and shift.numbers.size > 1:
        return "its shift differs inside the tensor"
    return ELEMENTWISE, {
        "KIND": AFFINE,
        **_elements(view),
        "CHANNELS": shape[axis],
        "INNER": int(np.prod(shape[axis + 1 :])),
        **view.affine(*view.package.wires[name].code_range),
        **view.codes(),
    }


def _of_two(view: LayerView) -> Found:
    if len(view.layer.inputs) != 2 or len({view.shape(name) for name in view.layer.inputs}) != 1:
        return "one of its inputs is a constant, or is spread over the other"
    second = view.wire("B", view.layer.inputs[1])
    if view.layer.node.op == "FixedAdd":
        lefts: Parameters = {f"LEFT_{each.upper()}": view.numbers(f"left_{each}", 0)[0] for each in "ab"}
        shift: Parameters = {"SHIFT": view.numbers("shift", 0)[0]}
        return ELEMENTWISE, {"KIND": ADD, **_elements(view), **second, **lefts, **shift, **view.codes()}
    if len(view.numbers("shift", 0)) > 1:
        return "its shift differs inside the tensor"
    ends = [view.package.wires[name].code_range for name in view.layer.inputs]
    products = [a * b for a in ends[0] for b in ends[1]]
    return ELEMENTWISE, {
        "KIND": MULTIPLY,
        **_elements(view),
        **second,
        **view.memory("SHIFT", "shift"),
        **view.shifts(),
        "T_BITS": bits_for(min(products), max(products)),
        **view.codes(),
    }


def _by_table(view: LayerView) -> Found:
    table = view.constant("table")
    if table is None:
        return "its table is computed"
    of = view.attributes
    return ELEMENTWISE, {
        "KIND": TABLE,
        **_elements(view),
        "TABLE_FILE": f"{file_of(view.layer, table)}.hex",
        "TABLE_BITS": int(of["input_bits"]),
        "TABLE_SIGNED": int(of["input_signed"]),
    }


def _by_thresholds(view: LayerView) -> Found:
    thresholds = view.constant("thresholds")
    if thresholds is None:
        return "its thresholds are computed"
    return ELEMENTWISE, {
        "KIND": THRESHOLDS,
        **_elements(view),
        "THRESHOLDS_FILE": f"{file_of(view.layer, thresholds)}.hex",
        "THRESHOLD_BITS": thresholds.bits,
        "COUNT": thresholds.numbers.size,
    }


def _elements(view: LayerView) -> Parameters:
    made = view.layer.outputs[0]
    return {
        "SIZE": view.images * int(np.prod(view.shape(made))),
        **view.wire("X", view.layer.inputs[0]),
        **view.wire("Y", made),
        "Y_SIGNED": int(view.package.wires[made].signed),
    }


_FINDERS = {
    **{f"{kind}{end}": _weighted for kind in KINDS for end in ("Conv", "ConvAdd", "Gemm")},
    **dict.fromkeys(("FixedAveragePool", "FixedMaxPool"), _pooled),
    **dict.fromkeys(("Affine", "Requantize"), _per_channel),
    **dict.fromkeys(("FixedAdd", "FixedMul"), _of_two),
    "Lookup": _by_table,
    "LogRequantize": _by_thresholds,
}
