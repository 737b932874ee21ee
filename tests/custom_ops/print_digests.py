"""Print the SIMD level in use and a digest of the results of every op, rounding and way of broadcasting."""

import ctypes
import hashlib
from collections.abc import Iterator

import numpy as np
import onnxruntime as ort
from onnx import helper, numpy_helper

from qonnx_tools.runtime import library_path

MODES = ("HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
f32 = np.float32
SCALES = (f32(0.25), f32(0.3), f32([0.3, 1.7, 0.125, 2]), f32([[[0.3]], [[1.5]], [[0.25]]]))
Case = tuple[str, str, list[np.ndarray], dict[str, int | str]]


def cases() -> Iterator[Case]:
    """Each op with scalar and broadcast parameters: domain, op, parameters, attributes."""
    dialect = "qonnx.custom_op.general"
    for scale in SCALES:
        for rounding in range(6):
            yield "qonnx_tools.ops", "FixedQuant", [np.int64(scale * 7)], {"bits": 5, "rounding": rounding}
        for steps, signed, rounding in ((1, 1, 0), (1, 0, 1), (2, 1, 1), (2, 0, 0)):
            attributes = {"bits": 4, "steps": steps, "signed": signed, "rounding": rounding}
            yield "qonnx_tools.ops", "LogQuant", [scale], attributes
        yield dialect, "BipolarQuant", [scale], {}
        for mode in MODES:
            attributes = {"signed": 1, "narrow": 0, "rounding_mode": mode}
            yield dialect, "Quant", [scale, f32(0.5), f32(5)], attributes
            yield dialect, "Quant", [scale, f32(0), f32(1)], attributes
            yield dialect, "Trunc", [scale, f32(1), f32(8), f32(4)], {"rounding_mode": mode}
            yield dialect, "Trunc", [scale, f32(1), f32(8), scale * f32(4), f32(4)], attributes
            attributes = {"saturation": 0, "has_inf": 1, "has_nan": 0, "rounding_mode": mode}
            yield dialect, "FloatQuant", [scale, f32(4), f32(3), f32(7), f32(400)], attributes


def result(case: Case, x: np.ndarray) -> np.ndarray:
    """Run one node."""
    domain, op, parameters, attributes = case
    names = [f"p{position}" for position in range(len(parameters))]
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *names], ["y"], domain=domain, **attributes)],
        "one_node",
        [helper.make_tensor_value_info("x", 1, x.shape)],
        [helper.make_tensor_value_info("y", 1, x.shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in zip(names, parameters, strict=True)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.register_custom_ops_library(str(library_path()))
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def numbers() -> np.ndarray:
    """Bit patterns at random (a few NaNs among them), ties, zeros, infinities: [3, n, 4]."""
    source = np.random.default_rng(7)
    patterns = source.integers(-(2**31), 2**31, 6000, dtype=np.int64).astype(np.int32).view(f32)
    ties = np.arange(-600, 600, dtype=f32) / 8
    spread = source.normal(0, 3, 4000).astype(f32)
    special = f32([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 2**23 + 0.5, -8388607.5])
    values = np.concatenate([patterns, ties, spread, special, np.nextafter(ties, f32(np.inf))])
    return np.resize(values, (3, values.size // 12, 1, 4)).reshape(3, -1, 4)


def main() -> None:
    """Print the level, then a line a case."""
    x = numbers()
    lines = []
    for case in cases():
        y = result(case, x)
        y[np.isnan(y)] = np.nan  # one NaN for all
        lines.append(f"{case[1]} {case[3]} {hashlib.sha256(y.tobytes()).hexdigest()}")
    level = ctypes.CDLL(str(library_path())).QonnxToolsSimdLevel
    level.restype = ctypes.c_char_p
    print("level", level().decode())  # noqa: T201
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
