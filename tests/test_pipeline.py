"""The pipeline cleans up and verifies after each pass, and the real models come out canonical."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
import onnxruntime
import pytest

from qonnx_tools.errors import PassError, UnsupportedError
from qonnx_tools.graph import from_proto, gs, load, nodes, parse, to_proto
from qonnx_tools.passes.base import Pass, Rewrite, Skip
from qonnx_tools.passes.fold_batch_norm import FoldBatchNorm
from qonnx_tools.pipeline import CANONICAL, canonicalize, run_passes

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 4] x) => (float[N, 4] y)
{ [one] a = Relu (x) [two] b = Neg (a) [three] y = Add (a, b) }
"""


@dataclass(frozen=True)
class Plain(Pass):
    name: ClassVar[str] = "plain"

    def run(self, graph):
        for node in nodes(graph, "Neg"):
            node.op = "Abs"
            yield Rewrite(node.name, "Neg to Abs")
        yield Skip("three", "no reason")


@dataclass(frozen=True)
class Unhooks(Pass):
    name: ClassVar[str] = "unhooks"

    def run(self, graph):
        add = next(nodes(graph, "Add"))
        add.inputs = [add.inputs[0], add.inputs[0]]
        yield Rewrite(add.name, "adds one input twice")


@dataclass(frozen=True)
class Breaks(Pass):
    name: ClassVar[str] = "breaks"

    def run(self, graph):
        graph.nodes[0].op = "Nothing"
        yield Rewrite("one", "broken")


@dataclass(frozen=True)
class Fails(Pass):
    error: Exception
    name: ClassVar[str] = "fails"

    def run(self, graph):
        yield Skip(graph.nodes[0].name, "to come")
        raise self.error


@dataclass(frozen=True)
class Flattens(Pass):
    name: ClassVar[str] = "flattens"

    def run(self, graph):
        node = graph.nodes[0]
        node.op = "Flatten"
        node.outputs[0].shape = None
        yield Rewrite(node.name, "Flatten")


def test_report():
    model = from_proto(parse(TEXT))
    (report,) = run_passes(model, [Plain()])
    assert report.name == "plain"
    assert report.outcomes == (Rewrite("two", "Neg to Abs"), Skip("three", "no reason"))
    assert report.rewrites == report.outcomes[:1]
    assert report.seconds > 0


def test_dead_nodes_are_removed():
    model = from_proto(parse(TEXT))
    run_passes(model, [Unhooks()])
    assert [node.name for node in model.graph.nodes] == ["one", "three"]


def test_shapes_are_inferred_anew():
    model = from_proto(parse(TEXT))
    run_passes(model, [Flattens()])
    assert model.graph.nodes[0].outputs[0].shape == ["N", 4]


def test_defect_names_the_pass_and_its_predecessors():
    with pytest.raises(
        PassError, match=r"after pass 'breaks' .*unknown op Nothing.* \(before it ran: plain, unhooks\)"
    ):
        run_passes(from_proto(parse(TEXT)), [Plain(), Unhooks(), Breaks()])
    with pytest.raises(PassError, match=r"pass 'fails' failed: KeyError: 'missing' \(no pass ran before it\)"):
        run_passes(from_proto(parse(TEXT)), [Fails(KeyError("missing"))])


def test_errors_on_purpose_come_through():
    with pytest.raises(UnsupportedError, match="node 'n': too odd"):
        run_passes(from_proto(parse(TEXT)), [Fails(UnsupportedError("n", "too odd"))])


def test_canonical_names_are_those_of_the_modules():
    assert [each.name for each in CANONICAL] == [
        *("constants-to-initializers", "remove-identity", "fold-constants", "explicit-attributes", "fold-padding"),
        *("fold-bias-add", "matmul-to-gemm", "simplify-gemm", "div-to-mul"),
    ]


def test_passes_do_not_depend_on_gs_equality():
    """Two nodes that onnx-graphsurgeon calls equal are still two nodes."""
    model = from_proto(parse(TEXT))
    twin = gs.Node("Relu", "one", inputs=list(model.graph.nodes[0].inputs), outputs=[gs.Variable("twin")])
    model.graph.nodes.append(twin)
    run_passes(model, [])
    assert len(to_proto(model).graph.node) == 4


def unoptimized(model: str | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options)


# rewrites of fold-constants, explicit-attributes, fold-padding, fold-bias-add, matmul-to-gemm, simplify-gemm,
# div-to-mul, fold-batch-norm
EXPECTED = {
    "cnn6_fashion_mnist": (0, 0, 0, 0, 0, 0, 0, 4),
    "mlperf_tiny_resnet8_cifar10": (0, 9, 0, 0, 0, 0, 0, 7),
    "mnist8_onnxzoo": (1, 4, 0, 2, 1, 0, 0, 0),
    "mobilenet_v1_075_imagenet": (0, 0, 5, 0, 0, 0, 0, 27),
    "resnet20_cifar10": (0, 0, 0, 0, 0, 0, 0, 19),
    "resnet32_cifar10": (0, 0, 0, 0, 0, 0, 0, 31),
    "squeezenet11_imagenet": (0, 0, 0, 0, 0, 0, 0, 0),
    "yolox_nano_coco": (0, 3, 0, 0, 0, 0, 0, 0),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_models(assets, name):
    """64 random images (2 of yolox) give the same class, and outputs within 5e-6 of the largest.

    Folding rounds each weight once more than the float model, by 6e-8 of itself, in up to 31 layers.
    """
    file = assets / "models" / f"{name}.onnx"
    model = load(file)
    reports = [*canonicalize(model), *run_passes(model, [FoldBatchNorm()])]
    assert tuple(len(report.rewrites) for report in reports[2:]) == EXPECTED[name]
    ops = [node.op for node in model.graph.nodes]
    assert not {"BatchNormalization", "Identity", "Dropout", "Constant"} & set(ops)
    assert ops.count("Pad") == (2 if "cifar10" in name and "resnet8" not in name else 0)
    proto = to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    first, second = unoptimized(str(file)), unoptimized(proto.SerializeToString())
    (entry,) = second.get_inputs()
    shape = [size if isinstance(size, int) else 8 for size in entry.shape]
    generator = np.random.default_rng(0)
    for _ in range(2 if name == "yolox_nano_coco" else 64 // shape[0]):
        x = generator.normal(size=shape).astype(np.float32)
        (expected,), (got,) = first.run(None, {entry.name: x}), second.run(None, {entry.name: x})
        assert np.abs(expected - got).max() <= 5e-6 * np.abs(expected).max()
        assert np.array_equal(expected.argmax(-1), got.argmax(-1))
