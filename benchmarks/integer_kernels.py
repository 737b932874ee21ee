"""Convolutions on integer codes against onnxruntime's float Conv and QLinearConv, layer by layer, in one run.

Each kind of convolution of each distinct shape is a session of its own. The sessions of a shape are run in turn, so
that drifts of the machine hit all alike; the table shows medians. The last lines weight every shape by how often the
network has it.

    python benchmarks/integer_kernels.py [--rounds N] [--threads N] [--batch N] [--networks NAME ...] [--json]
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnx import NodeProto, helper, numpy_helper

from qonnx_tools.arithmetic.log import Log
from qonnx_tools.arithmetic.log_products import LogUnit, usual_guard_bits
from qonnx_tools.runtime import library_path

PROJECT = "qonnx_tools.ops"
FLOAT, UINT8, INT8, INT16 = 1, 2, 3, 5  # element types of ONNX
KINDS = (
    *("qlinear", "fixed8", "shift5", "shift5+affine", "fixed16x8", "fixed16x10"),
    *("log5x5 root2", "log5x5 base2", "log4x4 root2"),
)
Arrays = dict[str, npt.NDArray[Any]]
ELEMENTS: dict[int, npt.DTypeLike] = {FLOAT: np.float32, UINT8: np.uint8, INT8: np.int8, INT16: np.int16}


@dataclass(frozen=True)
class Layer:
    """A square convolution: channels, spatial size, kernel, stride, and how often the network has it."""

    inner: int
    outer: int
    size: int
    kernel: int
    stride: int
    times: int

    @property
    def out(self) -> int:
        """Height and width of the output."""
        return (self.size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    @property
    def products(self) -> int:
        """Multiplications in one image."""
        return self.inner * self.outer * self.kernel**2 * self.out**2

    def __str__(self) -> str:
        stride = f"/{self.stride}" if self.stride > 1 else ""
        return f"{self.inner:4} -> {self.outer:4}  {self.kernel}x{self.kernel}{stride:2} @{self.size}"


@dataclass(frozen=True)
class Kind:
    """A node, its constants, the element type of its input, and what makes such an input of a shape."""

    node: NodeProto
    constants: Arrays
    element: int
    x: Callable[[tuple[int, ...]], npt.NDArray[Any]]


@dataclass(frozen=True)
class Result:
    """Median milliseconds of each kind of convolution for one layer."""

    network: str
    layer: Layer
    milliseconds: dict[str, float]


def resnet18() -> Iterator[Layer]:
    """The distinct convolutions of ResNet-18."""
    yield Layer(3, 64, 224, 7, 2, 1)
    yield Layer(64, 64, 56, 3, 1, 4)
    for stage in range(1, 4):
        inner, size = 32 << stage, 112 >> stage
        yield Layer(inner, 2 * inner, size, 3, 2, 1)
        yield Layer(inner, 2 * inner, size, 1, 2, 1)
        yield Layer(2 * inner, 2 * inner, size // 2, 3, 1, 3)


def resnet50() -> Iterator[Layer]:
    """The distinct convolutions of ResNet-50 (stride in the 3x3 convolution)."""
    yield Layer(3, 64, 224, 7, 2, 1)
    yield Layer(64, 64, 56, 1, 1, 1)
    yield Layer(64, 64, 56, 3, 1, 3)
    yield Layer(64, 256, 56, 1, 1, 4)
    yield Layer(256, 64, 56, 1, 1, 2)
    for stage, blocks in ((1, 4), (2, 6), (3, 3)):
        inner, width, size = 128 << stage, 64 << stage, 112 >> stage
        yield Layer(inner, width, size, 1, 1, 1)
        yield Layer(width, width, size, 3, 2, 1)
        yield Layer(inner, 4 * width, size, 1, 2, 1)
        yield Layer(width, 4 * width, size // 2, 1, 1, blocks)
        yield Layer(4 * width, width, size // 2, 1, 1, blocks - 1)
        yield Layer(width, width, size // 2, 3, 1, blocks - 1)


def resnet20() -> Iterator[Layer]:
    """The distinct convolutions of ResNet-20 for images of 32x32."""
    yield Layer(3, 16, 32, 3, 1, 1)
    yield Layer(16, 16, 32, 3, 1, 6)
    for inner, size in ((16, 32), (32, 16)):
        yield Layer(inner, 2 * inner, size, 3, 2, 1)
        yield Layer(2 * inner, 2 * inner, size // 2, 3, 1, 5)


NETWORKS: dict[str, Callable[[], Iterator[Layer]]] = {
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet20": resnet20,
}


def uniform(element: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return random codes of 8 bits."""
    return np.random.default_rng(0).integers(0, 256, shape).astype(ELEMENTS[element])


def rectified(of: Log, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return the log codes of normal numbers without the negative ones, as behind a ReLU."""
    return np.asarray(of.encode(np.maximum(np.random.default_rng(0).normal(0, 1, shape), 0)), np.int8)


def window(layer: Layer) -> dict[str, Any]:
    """The attributes of a convolution with as much padding as keeps the size."""
    pad = layer.kernel // 2
    return {
        "kernel_shape": [layer.kernel] * 2,
        "strides": [layer.stride] * 2,
        "pads": [pad] * 4,
        "dilations": [1, 1],
    }


def float_conv(layer: Layer, weights: npt.NDArray[Any]) -> Kind:
    """Onnxruntime's float convolution with bias."""
    values: Arrays = {"w": weights.astype(np.float32) / 128, "b": np.zeros(layer.outer, np.float32)}
    return Kind(
        helper.make_node("Conv", ["x", *values], ["y"], **window(layer)), values, FLOAT, partial(uniform, FLOAT)
    )


def qlinear_conv(layer: Layer, weights: npt.NDArray[Any]) -> Kind:
    """Onnxruntime's own 8-bit convolution."""
    scale, zero = np.float32(1 / 128), np.uint8(0)
    values: Arrays = {
        "xs": np.asarray(scale),
        "xz": np.asarray(zero),
        "w": weights.astype(np.int8),
        "ws": np.full(layer.outer, scale, np.float32),
        "wz": np.zeros(layer.outer, np.int8),
        "ys": np.asarray(np.float32(1)),
        "yz": np.asarray(zero),
        "b": np.zeros(layer.outer, np.int32),
    }
    node = helper.make_node("QLinearConv", ["x", *values], ["y"], **window(layer))
    return Kind(node, values, UINT8, partial(uniform, UINT8))


def code_conv(layer: Layer, op: str, element: int, weights: npt.NDArray[Any], **attributes: int) -> Kind:
    """A convolution of this project, its accumulator as wide as it must be."""
    values: Arrays = {"w": weights, "shift": np.asarray(np.int64(10)), "b": np.zeros(layer.outer, np.int64)}
    wide = element == INT16
    given: dict[str, Any] = {
        "bits": 16 if wide else 8,
        "signed": int(wide),
        "to": element,
        "accumulator_bits": 40 if wide else 32,
    }
    node = helper.make_node(op, ["x", *values], ["y"], domain=PROJECT, group=1, **window(layer), **(given | attributes))
    return Kind(node, values, element, partial(uniform, element))


def with_affine(kind: Kind, shift: int) -> Kind:
    """Return ``kind`` with a multiplier and an addend a channel behind the accumulator."""
    channels = kind.constants["b"].size
    affine: Arrays = {"multiplier": np.full(channels, 21000, np.int32), "addend": np.full(channels, 9999, np.int64)}
    kind.constants.update(affine, shift=np.asarray(np.int64(shift)))
    kind.node.input.extend(affine)
    return kind


def log_conv(layer: Layer, weights: npt.NDArray[Any], bits: int, steps: int) -> Kind:
    """A convolution of log codes with log codes, ``bits`` bits both, into 8 bits."""
    of, x = Log(bits, float(np.abs(weights).max()), steps), Log(bits, 4.5, steps, signed=False)
    codes = np.asarray(of.encode(weights), np.int8)
    unit = LogUnit(bits, False, bits, steps, usual_guard_bits(x, of))
    accumulator = unit.accumulator_bound(codes)
    read = {"weight_bits": bits, "steps": steps, "x_bits": bits, "x_signed": 0, "guard_bits": unit.guard_bits}
    given = read | {"bits": 8, "signed": 1, "accumulator_bits": accumulator}
    kind = with_affine(code_conv(layer, "LogConv", INT8, codes, **given), accumulator + 3)
    return Kind(kind.node, kind.constants, INT8, partial(rectified, x))


def kinds(layer: Layer, source: np.random.Generator) -> dict[str, Kind]:
    """What is compared: the node, its constants and the element type of its input, by name."""
    shape = (layer.outer, layer.inner, layer.kernel, layer.kernel)
    normal = source.normal(0, 30, shape)
    weights = normal.round().clip(-127, 127).astype(np.int8)
    logs = np.asarray(Log(5, float(np.abs(weights).max())).encode(weights), np.int8)
    return {
        "float": float_conv(layer, weights),
        "qlinear": qlinear_conv(layer, weights),
        "fixed8": code_conv(layer, "FixedConv", UINT8, weights),
        "shift5": code_conv(layer, "ShiftConv", UINT8, logs, weight_bits=5),
        "shift5+affine": with_affine(code_conv(layer, "ShiftConv", UINT8, logs, weight_bits=5), 25),
        "fixed16x8": code_conv(layer, "FixedConv", INT16, weights),
        "fixed16x10": code_conv(layer, "FixedConv", INT16, weights.astype(np.int16) * 4),
        "log5x5 root2": log_conv(layer, normal, 5, 2),
        "log5x5 base2": log_conv(layer, normal, 5, 1),
        "log4x4 root2": log_conv(layer, normal, 4, 2),
    }


def session(layer: Layer, kind: Kind, threads: int, batch: int) -> Callable[[], object]:
    """Return a function that runs one convolution on buffers that stay."""
    element = kind.element
    x_shape, y_shape = (batch, layer.inner, layer.size, layer.size), (batch, layer.outer, layer.out, layer.out)
    graph = helper.make_graph(
        [kind.node],
        "layer",
        [helper.make_tensor_value_info("x", element, x_shape)],
        [helper.make_tensor_value_info("y", element, y_shape)],
        [numpy_helper.from_array(value, name) for name, value in kind.constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(PROJECT, 1)]
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.register_custom_ops_library(str(library_path()))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    opened = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x = kind.x(x_shape)
    binding = opened.io_binding()
    binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(x))
    binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_numpy(np.zeros(y_shape, ELEMENTS[element])))
    return lambda: opened.run_with_iobinding(binding)


def measure(network: str, layer: Layer, options: argparse.Namespace) -> Result:
    """Run all kinds in turn, after one round to warm up."""
    made = kinds(layer, np.random.default_rng(layer.products))
    compared = {name: made[name] for name in ("float", *options.kinds)}
    runs = [session(layer, kind, options.threads, options.batch) for kind in compared.values()]
    seconds = np.zeros((options.rounds + 1, len(runs)))
    for turn in seconds:
        for position, run in enumerate(runs):
            run()  # brings the layer's own data back into the caches, as its neighbours in a network would not
            start = time.perf_counter()
            run()
            turn[position] = time.perf_counter() - start
    typical = 1e3 * np.median(seconds[1:], axis=0)
    return Result(network, layer, dict(zip(compared, typical.tolist(), strict=True)))


def total(results: list[Result], network: str) -> dict[str, float]:
    """Milliseconds of all convolutions of a network, by kind."""
    own = [result for result in results if result.network == network]
    return {kind: sum(r.layer.times * r.milliseconds[kind] for r in own) for kind in own[0].milliseconds}


def show(results: list[Result], options: argparse.Namespace) -> None:
    """Print the table."""
    print(f"{options.threads} thread(s), batch {options.batch}, {options.rounds} rounds; x: time over float Conv's")
    names = list(results[0].milliseconds)
    print(
        f"{'layer':27}{'n':>3}{'float ms':>10}" + "".join(f"{name + ' x':>15}" for name in names[1:]) + "  float GOP/s"
    )
    for network in options.networks:
        print(network)
        for result in (each for each in results if each.network == network):
            times, layer = result.milliseconds, result.layer
            ratios = "".join(f"{times[name] / times['float']:15.2f}" for name in names[1:])
            speed = 2e-6 * options.batch * layer.products / times["float"]
            print(f"{layer!s:27}{layer.times:3}{times['float']:10.3f}{ratios}{speed:13.0f}")
        whole = total(results, network)
        ratios = "".join(f"{whole[name] / whole['float']:15.2f}" for name in names[1:])
        print(f"{'all convolutions':30}{whole['float']:10.3f}{ratios}")


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description="Convolutions on codes against onnxruntime's.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = [measure(name, layer, options) for name in options.networks for layer in NETWORKS[name]()]
    if options.json:
        totals = {network: total(results, network) for network in options.networks}
        layers = [asdict(result) for result in results]
        print(json.dumps({**vars(options), "layers": layers, "totals": totals}, indent=2))
        return
    show(results, options)


if __name__ == "__main__":
    main()
