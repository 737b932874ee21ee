"""Throughput of the quantization kernels against onnxruntime's Relu on the same tensor, in one run.

Each op is a session of its own; the sessions are run in turn, so that drifts of the machine hit all alike, and the
ratio of a round is the time of Relu over the time of the op. The table shows the median over the rounds.

    python benchmarks/kernels.py [--elements N] [--rounds N] [--threads N] [--json]
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, helper, numpy_helper

from qonnx_tools.runtime import library_path

PROJECT, DIALECT = "qonnx_tools.ops", "qonnx.custom_op.general"
f32 = np.float32


@dataclass(frozen=True)
class Subject:
    """One op with its parameter inputs and attributes."""

    label: str
    op: str
    domain: str
    parameters: tuple[np.generic, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """Median time and throughput of a subject, and its throughput relative to Relu (median of the rounds)."""

    label: str
    milliseconds: float
    gigabytes_per_second: float
    ratio_to_relu: float


def subjects() -> list[Subject]:
    """Return Relu and what is compared with it."""
    signed: dict[str, int | str] = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    parameters = (f32(0.125), f32(0), f32(8))
    fixed = [
        Subject(f"FixedQuant 8 bits, {name}", "FixedQuant", PROJECT, (np.int64(4),), {"bits": 8, "rounding": code})
        for code, name in enumerate(("half even", "half up", "half away", "floor"))
    ]
    logarithmic = [
        Subject(f"LogQuant 5 bits, {name}", "LogQuant", PROJECT, (f32(2.5),), {"bits": 5, "steps": steps})
        for steps, name in ((1, "base 2"), (2, "base sqrt 2"))
    ]
    floating = (f32(0.1), f32(4), f32(3), f32(7), f32(480))
    saturating = {"saturation": 1, "has_inf": 0, "has_nan": 0, "has_subnormal": 1}
    return [
        Subject("Relu", "Relu", "", (), {}),
        *fixed,
        *logarithmic,
        Subject("Quant, power-of-two scale", "Quant", DIALECT, parameters, signed),
        Subject("Quant, any scale", "Quant", DIALECT, (f32(0.1), *parameters[1:]), signed),
        Subject("Quant, HALF_UP", "Quant", DIALECT, parameters, signed | {"rounding_mode": "HALF_UP"}),
        Subject("FloatQuant e4m3", "FloatQuant", DIALECT, floating, saturating),
    ]


def model(subject: Subject, elements: int) -> ModelProto:
    """A graph of one node with parameters as initializers."""
    names = [f"p{position}" for position in range(len(subject.parameters))]
    graph = helper.make_graph(
        [helper.make_node(subject.op, ["x", *names], ["y"], domain=subject.domain, **subject.attributes)],
        "kernel",
        [helper.make_tensor_value_info("x", 1, [elements])],
        [helper.make_tensor_value_info("y", 1, [elements])],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in zip(names, subject.parameters, strict=True)
        ],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in (("", 17), (PROJECT, 1), (DIALECT, 1))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def bound(subject: Subject, x: ort.OrtValue, y: ort.OrtValue, threads: int) -> tuple[ort.InferenceSession, object]:
    """Open a session that reads ``x`` and writes ``y`` in place, without copies."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.register_custom_ops_library(str(library_path()))
    proto = model(subject, x.shape()[0])
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", x)
    binding.bind_ortvalue_output("y", y)
    return session, binding


def measure(elements: int, rounds: int, threads: int) -> list[Result]:
    """Run all subjects in turn, ``rounds`` times after one round to warm up."""
    data = np.random.default_rng(0).normal(0, 3, elements).astype(np.float32)
    x, y = ort.OrtValue.ortvalue_from_numpy(data), ort.OrtValue.ortvalue_from_numpy(np.zeros_like(data))
    compared = subjects()
    bindings = [bound(subject, x, y, threads) for subject in compared]
    seconds = np.zeros((rounds + 1, len(compared)))
    for turn in seconds:
        for position, (session, binding) in enumerate(bindings):
            start = time.perf_counter()
            session.run_with_iobinding(binding)
            turn[position] = time.perf_counter() - start
    typical = np.median(seconds[1:], axis=0)
    ratios = np.median(seconds[1:, :1] / seconds[1:], axis=0)
    return [
        Result(subject.label, 1e3 * float(time_), 8 * elements / float(time_) / 1e9, float(ratio))
        for subject, time_, ratio in zip(compared, typical, ratios, strict=True)
    ]


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description="Quantization kernels against onnxruntime's Relu.")
    parser.add_argument("--elements", type=int, default=32 * 2**20)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure(options.elements, options.rounds, options.threads)
    if options.json:
        print(json.dumps({**vars(options), "results": [asdict(result) for result in results]}, indent=2))
        return
    print(f"{options.elements} floats, {options.threads} thread(s), {options.rounds} rounds")
    print(f"{'kernel':30}{'ms':>9}{'GB/s':>8}{'x Relu':>9}")
    for result in results:
        print(
            f"{result.label:30}{result.milliseconds:9.2f}{result.gigabytes_per_second:8.2f}{result.ratio_to_relu:9.2f}"
        )


if __name__ == "__main__":
    main()
