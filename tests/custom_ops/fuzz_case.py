"""What the fuzzers share: a node in a model with what to feed it, run so that the one that crashes is known."""

import argparse
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

REFUSALS = (RuntimeError, ValueError, TypeError, *(
    error for error in vars(ort.capi.onnxruntime_pybind11_state).values()
    if isinstance(error, type) and issubclass(error, Exception)
))  # fmt: skip
"""What onnxruntime raises for a status, and its Python side for inputs that do not fit."""


@dataclass(frozen=True)
class Case:
    """A model of one node, and its inputs."""

    op: str
    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]


def one_node(
    source: random.Random, node: onnx.NodeProto, given: dict[str, np.ndarray], fixed: set[str], declared: int
) -> Case:
    """The model of ``node``: ``fixed`` inputs are initializers, of the others the shape may be hidden."""
    free = {name: value for name, value in given.items() if name not in fixed}
    infos = [
        helper.make_tensor_value_info(
            name,
            TensorProto.STRING if value.dtype.kind == "U" else helper.np_dtype_to_tensor_dtype(value.dtype),
            source.choice((value.shape, value.shape, None, [None] * value.ndim)),
        )
        for name, value in free.items()
    ]
    constants = [numpy_helper.from_array(given[name], name) for name in given if name in fixed]
    output = helper.make_tensor_value_info("y", declared, None)
    graph = helper.make_graph([node], "g", infos, [output], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(node.domain, 1)]
    return Case(node.op_type, helper.make_model(graph, opset_imports=opsets, ir_version=8), free)


def run(case: Case, library: str) -> str:
    """Run a case twice, as memory is not clean the second time; say whether it "ran" or was "refused"."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    options.register_custom_ops_library(library)
    try:
        session = ort.InferenceSession(case.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for _ in range(2):
            session.run(None, case.feeds)
    except REFUSALS:
        return "refused"
    return "ran"


def main(draw: Callable[[random.Random], Case], description: Any) -> None:
    """Run cases: a line each, written before and after, so that the last line names the one that crashed."""
    parser = argparse.ArgumentParser(description=str(description).splitlines()[0])
    parser.add_argument("library", help="the compiled library")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for number in range(options.first, options.first + options.cases):
        source = random.Random(f"{options.seed} {number}")  # noqa: S311  # not for secrets
        case = draw(source)
        sys.stdout.write(f"{number} {case.op} ")
        sys.stdout.flush()
        sys.stdout.write(f"{run(case, options.library)}\n")
