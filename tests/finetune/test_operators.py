"""Operators in PyTorch compute what onnxruntime computes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from qonnx_tools.errors import UnsupportedError
from qonnx_tools.finetune.building import student_of
from qonnx_tools.finetune.operators import OPERATORS
from qonnx_tools.graph import from_proto, parse
from qonnx_tools.pipeline import canonicalize
from qonnx_tools.plan import Plan
from qonnx_tools.runtime import run, session

W = np.random.default_rng(4).normal(size=(4, 3, 3, 3)).astype(np.float32)
SHAPE = "float[N, 3, 6, 6]"
CASES = {
    "Add": "y = Add (x, x)",
    "Add of a constant": "y = Add (x, one)",
    "AveragePool": "y = AveragePool <kernel_shape = [2, 3], strides = [2, 1], pads = [1, 1, 1, 1]> (x)",
    "AveragePool counted": (
        "y = AveragePool <kernel_shape = [3, 3], pads = [1, 0, 1, 1], count_include_pad = 1, strides = [2, 2]> (x)"
    ),
    "BatchNormalization": "y = BatchNormalization (x, three, three, three, three)",
    "Clip": "y = Clip (x, low, high)",
    "Concat": "y = Concat <axis = 1> (x, x)",
    "Conv": "y = Conv <pads = [1, 0, 1, 2], strides = [2, 1], kernel_shape = [3, 3]> (x, w)",
    "Conv same": 'y = Conv <auto_pad = "SAME_LOWER", strides = [2, 2], kernel_shape = [3, 3]> (x, w)',
    "ConvTranspose": "y = ConvTranspose <pads = [1, 1, 1, 1], strides = [2, 2], kernel_shape = [3, 3]> (x, t)",
    "DepthToSpace": "z = Concat <axis = 1> (x, x, x, x) y = DepthToSpace <blocksize = 2> (z)",
    "DepthToSpace CRD": 'z = Concat <axis = 1> (x, x, x, x) y = DepthToSpace <blocksize = 2, mode = "CRD"> (z)',
    "Div": "y = Div (x, one)",
    "Elu": "y = Elu <alpha = 0.5> (x)",
    "Exp": "y = Exp (x)",
    "Flatten": "y = Flatten (x)",
    "Gather": "y = Gather <axis = 1> (x, at)",
    "Gemm": "z = Flatten (x) y = Gemm <alpha = 0.5, beta = 2.0> (z, u, five)",
    "Gemm transposed": "z = Flatten (x) y = Gemm <transB = 1> (z, v, five)",
    "GlobalAveragePool": "y = GlobalAveragePool (x)",
    "GlobalMaxPool": "y = GlobalMaxPool (x)",
    "HardSigmoid": "y = HardSigmoid <alpha = 0.3> (x)",
    "HardSwish": "y = HardSwish (x)",
    "LeakyRelu": "y = LeakyRelu <alpha = 0.1> (x)",
    "LogSoftmax": "y = LogSoftmax <axis = 1> (x)",
    "MatMul": "z = Flatten (x) y = MatMul (z, u)",
    "Max": "z = Neg (x) y = Max (x, z, one)",
    "MaxPool": "y = MaxPool <kernel_shape = [3, 2], strides = [2, 2], pads = [1, 0, 1, 1]> (x)",
    "MaxPool ceil": "y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (x)",
    "Mean": "z = Neg (x) y = Mean (x, z, one)",
    "Min": "z = Neg (x) y = Min (x, z)",
    "Mish": "y = Mish (x)",
    "Mul": "y = Mul (x, x)",
    "Neg": "y = Neg (x)",
    "PRelu": "y = PRelu (x, slope)",
    "Pad": "y = Pad (x, pads, high)",
    "ReduceMean": "y = ReduceMean <axes = [2, 3], keepdims = 0> (x)",
    "ReduceSum": "y = ReduceSum <keepdims = 1> (x, axes)",
    "Relu": "y = Relu (x)",
    "Reshape": "y = Reshape (x, sizes)",
    **{
        f"Resize {mode} {nearest}": (
            f'y = Resize <mode = "nearest", coordinate_transformation_mode = "{mode}", '
            f'nearest_mode = "{nearest}"> (x, , scales)'
        )
        for mode in ("asymmetric", "half_pixel", "align_corners")
        for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    },
    "Sigmoid": "y = Sigmoid (x)",
    "Slice": "y = Slice (x, starts, ends, axes, steps)",
    "Softmax": "y = Softmax <axis = 1> (x)",
    "Softplus": "y = Softplus (x)",
    "Squeeze": "z = Unsqueeze (x, at) y = Squeeze (z, at)",
    "Sub": "y = Sub (one, x)",
    "Sum": "y = Sum (x, x, one)",
    "Tanh": "y = Tanh (x)",
    "Transpose": "y = Transpose <perm = [0, 2, 3, 1]> (x)",
}
CONSTANTS = {
    "w": W,
    "t": np.ascontiguousarray(W.transpose(1, 0, 2, 3)),
    "u": np.random.default_rng(5).normal(size=(108, 5)).astype(np.float32),
    "v": np.random.default_rng(6).normal(size=(5, 108)).astype(np.float32),
    "five": np.arange(5, dtype=np.float32),
    "three": np.array([0.5, 1.5, 2.0], np.float32),
    "slope": np.array([0.1, 0.2, -0.3], np.float32).reshape(3, 1, 1),
    "one": np.array([[[1.5]]], np.float32),
    "low": np.array(-0.5, np.float32),
    "high": np.array(0.75, np.float32),
    "at": np.array([1, 2], np.int64),
    "axes": np.array([2, 3], np.int64),
    "pads": np.array([0, 1, 0, 2, 0, 0, 1, 0], np.int64),
    "sizes": np.array([0, -1, 4], np.int64),
    "scales": np.array([1, 1, 2, 2.5], np.float32),
    "starts": np.array([1, -5], np.int64),
    "ends": np.array([6, 100], np.int64),
    "steps": np.array([2, 1], np.int64),
}
KINDS = {np.dtype(np.float32): "float", np.dtype(np.int64): "int64"}


def graph(body, opset=17):
    used = {
        name: value for name, value in CONSTANTS.items() if f"{name}," in body.replace(")", ",") or f" {name}," in body
    }
    declared = ", ".join(
        f"{KINDS[value.dtype]}[{', '.join(map(str, value.shape))}] {name}" for name, value in used.items()
    )
    head = f'<ir_version: 8, opset_import: ["" : {opset}]> g ({SHAPE} x) => (float y)'
    model = from_proto(parse(f"{head} <{declared}> {{ {body} }}", **used))
    canonicalize(model)
    return model


@pytest.mark.parametrize("name", CASES)
def test_an_operator_computes_what_onnxruntime_computes(name):
    model = graph(CASES[name], 18 if "Mish" in name else 17)
    x = np.random.default_rng(7).normal(size=(2, 3, 6, 6)).astype(np.float32)
    expected = run(session(model, optimize=False), x)[0]
    for layout in (torch.contiguous_format, torch.channels_last):
        found = student_of(model, Plan(), learn_scales=False)(torch.from_numpy(x).contiguous(memory_format=layout))
        assert tuple(found.shape) == expected.shape
        torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-5, atol=1e-5)


def test_every_operator_has_a_case():
    missing = set(OPERATORS) - {name.split()[0] for name in CASES}
    assert missing == {"Dropout", "Gelu", "Identity", "Unsqueeze", "Upsample"}, "gone, or part of another case"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[odd] y = Asin (x)", "node 'odd': Asin is not trained through; there are Add, AveragePool"),
        ('[odd] y = Pad <mode = "reflect"> (x, pads)', "node 'odd': a Pad of mode reflect"),
        ('[odd] y = Resize <mode = "linear"> (x, , scales)', "node 'odd': only a Resize to the nearest"),
    ],
)
def test_what_there_is_not_is_named(body, message):
    model = graph(body)
    with pytest.raises(UnsupportedError, match=message.replace("(", r"\(")):
        student_of(model, Plan(), learn_scales=False)(torch.zeros(1, 3, 6, 6))
