"""How every pass is tried: same interface, same numbers, a second run changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pytest

from qonnx_tools.graph import Model, constant_value, from_proto, parse, to_proto
from qonnx_tools.passes.base import Outcome, Pass, Rewrite
from qonnx_tools.pipeline import run_passes


@dataclass
class Tried:
    """What a pass did."""

    model: Model
    outcomes: tuple[Outcome, ...]

    @property
    def ops(self) -> list[str]:
        return [node.op for node in self.model.graph.nodes]

    @property
    def fired(self) -> list[str]:
        return [outcome.node for outcome in self.outcomes if isinstance(outcome, Rewrite)]

    @property
    def reasons(self) -> dict[str, str]:
        return {outcome.node: outcome.reason for outcome in self.outcomes if not isinstance(outcome, Rewrite)}

    def node(self, name: str):
        return next(node for node in self.model.graph.nodes if node.name == name)

    def value(self, name: str):
        tensors = [tensor for node in self.model.graph.nodes for tensor in node.inputs if tensor.name == name]
        return constant_value(tensors[0])


def unoptimized(proto: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options)


def random_feeds(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    feeds = {}
    for value in proto.graph.input:
        kind = value.type.tensor_type
        shape = [dim.dim_value or 2 for dim in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        feeds[value.name] = generator.normal(size=shape).astype(dtype)
    return feeds


def outputs_of(proto: onnx.ModelProto) -> list[np.ndarray]:
    return unoptimized(proto).run(None, random_feeds(proto))


def attempt(each: Pass, proto: onnx.ModelProto, *, tolerance: float = 0.0) -> Tried:
    """Run a pass twice and compare the model before and after.

    ``tolerance`` is relative to the largest magnitude of an output; 0 asks for equality.
    """
    model = from_proto(proto)
    before = to_proto(model)
    (report,) = run_passes(model, [each])
    after = to_proto(model)
    onnx.checker.check_model(after, full_check=True)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    for expected, got in zip(outputs_of(before), outputs_of(after), strict=True):
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        limit = tolerance * np.abs(expected).max(initial=0) if tolerance else 0
        assert np.abs(got.astype(np.float64) - expected).max(initial=0) <= limit
    (again,) = run_passes(model, [each])
    assert again.rewrites == (), "a second run finds nothing to do"
    assert to_proto(model).SerializeToString(deterministic=True) == after.SerializeToString(deterministic=True)
    return Tried(model, report.outcomes)


Try = Callable[..., Tried]


@pytest.fixture
def try_pass() -> Try:
    """Try a pass on a model in text form: ``try_pass(pass, text, tolerance=0, **weights)``."""

    def tried(each: Pass, text: str, *, tolerance: float = 0.0, opset: int = 17, **values: np.ndarray) -> Tried:
        header = f'<ir_version: 8, opset_import: ["" : {opset}, "qonnx.custom_op.general" : 1]>\n'
        return attempt(each, parse(header + text, **values), tolerance=tolerance)

    return tried


@pytest.fixture(name="attempt")
def attempt_fixture() -> Try:
    """Try a pass on a ModelProto: ``attempt(pass, proto, tolerance=0)``."""
    return attempt
