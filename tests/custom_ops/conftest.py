"""Run one node of the custom-op library in onnxruntime, and compare bits."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log_products import LogUnit, joined
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.arithmetic.window import Window
from qonnx_tools.runtime import library_path

PROJECT = "qonnx_tools.ops"


def node_model(
    op: str,
    inputs: Sequence[np.ndarray],
    attributes: dict,
    domain: str = PROJECT,
    constant: Sequence[int] | None = None,
    shape: Sequence[int | str | None] | None = None,
    version: int = 1,
) -> bytes:
    """A model of one node: the inputs whose positions are in ``constant`` (all but x) are initializers."""
    fixed = range(1, len(inputs)) if constant is None else constant
    names = [f"i{position}" for position in range(len(inputs))]
    free = []
    for position, value in enumerate(inputs):
        if position not in fixed:
            dims = shape if position == 0 and shape is not None else value.shape
            element = helper.np_dtype_to_tensor_dtype(value.dtype)
            free.append(helper.make_tensor_value_info(names[position], element, dims))
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], name="the_node", domain=domain, **attributes)],
        "one_node",
        free,
        [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(np.asarray(inputs[position]), names[position]) for position in fixed],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(domain, version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def open_session(model: bytes, threads: int = 1) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.register_custom_ops_library(str(library_path()))
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="session")
def make_model() -> Callable[..., bytes]:
    return node_model


@pytest.fixture(scope="session")
def make_session() -> Callable[..., ort.InferenceSession]:
    return open_session


@pytest.fixture(scope="session")
def run_node() -> Callable[..., np.ndarray]:
    """Return the output of one node; keywords as in ``node_model``, and ``threads``."""

    def run(op: str, inputs: Sequence[np.ndarray], attributes: dict, threads: int = 1, **how: object) -> np.ndarray:
        session = open_session(node_model(op, inputs, attributes, **how), threads)
        wanted = {value.name for value in session.get_inputs()}
        feed = {f"i{position}": np.asarray(value) for position, value in enumerate(inputs)}
        return session.run(None, {name: value for name, value in feed.items() if name in wanted})[0]

    return run


def codes_model(
    op: str, inputs: Sequence[np.ndarray | None], attributes: dict, constant: Sequence[int] | None, data: int
) -> tuple[bytes, dict[str, np.ndarray]]:
    """A model of one op on codes, its output type undeclared, and what to feed it; inputs that are None are left out.

    The first ``data`` inputs, or all but those in ``constant``, are graph inputs.
    """
    kind = onnx.TensorProto.UINT8 if op == "FeatureMapEncode" else attributes.get("to", onnx.TensorProto.FLOAT)
    names = ["" if value is None else f"i{position}" for position, value in enumerate(inputs)]
    given = {name: np.asarray(value) for name, value in zip(names, inputs, strict=True) if value is not None}
    fixed = set(names[data:]) if constant is None else {names[position] for position in constant}
    element = helper.np_dtype_to_tensor_dtype
    graph = helper.make_graph(
        [
            helper.make_node(op, names, ["codes"], name="the_node", domain=PROJECT, **attributes),
            helper.make_node("Identity", ["codes"], ["y"]),
        ],
        "one_node",
        [helper.make_tensor_value_info(n, element(v.dtype), v.shape) for n, v in given.items() if n not in fixed],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(value, name) for name, value in given.items() if name in fixed],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(PROJECT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return model, {name: value for name, value in given.items() if name not in fixed}


@pytest.fixture(scope="session")
def create_codes() -> Callable[..., ort.InferenceSession]:
    """Create a session of one op on codes, all but the first ``data`` inputs constant."""

    def create(
        op: str, inputs: Sequence[np.ndarray | None], attributes: dict, data: int = 1, threads: int = 1
    ) -> ort.InferenceSession:
        return open_session(codes_model(op, inputs, attributes, None, data)[0], threads)

    return create


@pytest.fixture(scope="session")
def run_codes() -> Callable[..., np.ndarray]:
    """Return the output of one op on codes; keywords ``threads``, ``constant`` (positions) and ``data`` (count)."""

    def run(
        op: str,
        inputs: Sequence[np.ndarray | None],
        attributes: dict,
        threads: int = 1,
        constant: Sequence[int] | None = None,
        data: int = 1,
    ) -> np.ndarray:
        model, feed = codes_model(op, inputs, attributes, constant, data)
        session = open_session(model, threads)
        session.run(None, feed)  # scratch memory is not clean the second time
        return session.run(None, feed)[0]

    return run


def accumulators(op: str, inputs: Sequence[np.ndarray | None], attributes: dict) -> np.ndarray:
    """The sums of an accumulating op, bias included, wrapped; even and odd ones joined."""
    x, w, bits = inputs[0], inputs[1], attributes["accumulator_bits"]
    bias = inputs[3] if len(inputs) > 3 and inputs[3] is not None else np.int64(0)
    steps = attributes.get("steps", 1)

    def sums(x, w):
        if op.endswith("Gemm"):
            return integer.gemm(x, w, transpose=bool(attributes["transB"]))
        window = Window.of(*(attributes.get(name, ()) for name in ("kernel_shape", "strides", "pads", "dilations")))
        return integer.convolve(x, w, window, attributes["group"])

    if op.startswith("Log"):
        names = ("x_bits", "x_signed", "weight_bits", "steps", "guard_bits")
        even, odd = LogUnit(*(attributes[name] for name in names)).sums(x, w, sums)
    elif op.startswith("Shift"):
        even, odd = (sums(x, part) for part in integer.shift_weights(w, attributes["weight_bits"], steps))
    else:
        even, odd = sums(x, w), np.int64(0)
    accumulated = integer.wrap(even + integer.along(bias, even.shape, 1), bits)
    return joined(accumulated, integer.wrap(odd, bits)) if steps == 2 else accumulated


@pytest.fixture(scope="session")
def reference_codes() -> Callable[..., np.ndarray]:
    """Return what the numpy reference gives for an accumulating op."""

    def compute(op: str, inputs: Sequence[np.ndarray | None], attributes: dict) -> np.ndarray:
        inputs = [*inputs, *[None] * (6 - len(inputs))]
        multiplier = np.int64(1) if inputs[4] is None else inputs[4]
        addend = np.int64(0) if inputs[5] is None else inputs[5]
        target = FixedPoint(attributes["bits"], 0, bool(attributes["signed"]), bool(attributes["narrow"]))
        rounding = list(Rounding)[attributes["rounding"]]
        sums = accumulators(op, inputs, attributes)
        codes = integer.affine(sums, multiplier, addend, inputs[2], target, rounding)
        return codes.astype(helper.tensor_dtype_to_np_dtype(attributes["to"]))

    return compute


@pytest.fixture(scope="session")
def assert_same_bits() -> Callable[[np.ndarray, np.ndarray], None]:
    """Fail unless both are float32 of one shape with the same bits, all NaNs being one."""

    def compare(found: np.ndarray, expected: np.ndarray, what: object = "") -> None:
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what
        nan = np.isnan(expected)
        np.testing.assert_array_equal(np.isnan(found), nan, err_msg=str(what))
        same = (found.view(np.int32) == expected.view(np.int32)) | nan
        if not same.all():
            at = np.flatnonzero(~same.ravel())[:4]
            pytest.fail(f"{what}: at {at}: {found.ravel()[at]} instead of {expected.ravel()[at]}")

    return compare


@pytest.fixture(scope="session")
def awkward_numbers() -> np.ndarray:
    """Float32 numbers that quantizers get wrong: ties and their neighbours, subnormals, extremes, NaN, both zeros."""
    info = np.finfo(np.float32)
    ties = np.arange(-300, 300, dtype=np.float32) / 2
    powers = np.float32(2) ** np.arange(-126, 127, 3, dtype=np.float32)
    positive = np.concatenate([powers, powers * 1.5, powers / 3, [1e-40, info.smallest_subnormal, info.tiny, info.max]])
    halves = np.array([0.5, 1.5, 8388607.5, 8388608.5, 16777215, 2.0**31, 2.0**32, 0.49999997], np.float32)
    values = np.concatenate([ties, positive, -positive, halves, -halves]).astype(np.float32)
    with np.errstate(over="ignore"):
        around = np.concatenate([values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf)])
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan], np.float32)
    spread = np.random.default_rng(0).normal(0, 20, 500)
    return np.concatenate([around, special, spread]).astype(np.float32)
