"""Logarithmic formats beside others at equal bits: weights alone, the inputs of layers alone, both.

* normalised log: our scheme, base 2 and base sqrt 2, a scale a channel of weights and a layer's inputs;
* un-normalised log after Miyashita et al. 2016: powers of two themselves, rounded in the log domain, the window of
  exponents chosen for each layer, or one for all layers;
* uniform: fixed point, a power of two a channel of weights and a layer's inputs;
* sums of powers of two (power_sums.py), weights only.

"nearest" rounds the trained weights, "fitted" chooses codes by the output of their layer. What is not compared is wide:
weights beside inputs of layers have 8 bits, activations beside weights 16. Wherever inputs of layers are compared, the
model's input and what something else than layers reads have 8 bits. Printed is the difference in top-1 to the float
model on the same images, in points, with its 95 % interval. Formats come from training images.

    QONNX_TOOLS_ASSETS=... python benchmarks/log_comparison.py [--models NAME ...] [--compare NAME ...] [--bits N ...]
        [--limit N] [--json]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from measuring import machine, markdown_table
from power_sums import quantized
from subjects import Subject

from qonnx_tools.conversion import convert
from qonnx_tools.errors import QonnxToolsError
from qonnx_tools.fitted import Fitted
from qonnx_tools.graph import Model
from qonnx_tools.plan import BatchNorm
from qonnx_tools.schemes.base import Scheme, make_scheme
from qonnx_tools.schemes.overrides import Override
from qonnx_tools.statistics import PairedComparison, compare_paired

MODELS = ("resnet20_cifar10",)
WHAT = ("weights", "inputs", "both")
BITS = (8, 7, 6, 5, 4, 3)
WIDE_INPUTS, WIDE_WEIGHTS, SUMS = 16, 8, 16


@dataclass(frozen=True)
class System:
    """A way to quantize: a scheme, the options of its formats, and what weights are fitted to."""

    name: str
    scheme: str
    options: Mapping[str, Any] = field(default_factory=dict)
    fit: str = "weights"


LOG2, ROOT2 = System("log, base 2", "log"), System("log, base sqrt 2", "log", {"log_base": "sqrt2"})
WINDOW = System("un-normalised log, a window a layer", "log", {
    "log_scale": "power-of-two", "log_rounding": "log", "granularity": "layer",
})  # fmt: skip
ONE_WINDOW = replace(WINDOW, name="un-normalised log, one window", options={**WINDOW.options, "granularity": "class"})
UNIFORM = System("uniform", "fixed")
POWER_SUMS = System("sums of powers of two, nearest", "sums")
NEAREST = (LOG2, ROOT2, WINDOW, ONE_WINDOW, UNIFORM)
FITTED = tuple(replace(each, fit="outputs") for each in (LOG2, ROOT2, UNIFORM))


@dataclass(frozen=True)
class Result:
    """One system at one width; ``paired`` is None with the reason where there is no such format."""

    model: str
    compared: str
    system: str
    bits: int
    paired: PairedComparison | None
    reason: str = ""

    def __str__(self) -> str:
        if self.paired is None:
            return "-"
        return "{:+.2f} [{:+.2f}, {:+.2f}]".format(
            *(100 * part for part in (self.paired.difference, self.paired.low, self.paired.high))
        )


def systems(compared: str) -> Iterator[System]:
    """Yield the systems of one table."""
    fitted = () if compared == "inputs" else FITTED
    for each in (*NEAREST, *fitted):
        rounded = ", fitted" if each.fit == "outputs" else ", nearest"
        yield replace(each, name=each.name + ("" if compared == "inputs" else rounded))
    if compared == "weights":
        yield POWER_SUMS


def scheme_of(system: System, compared: str, bits: int, subject: Subject) -> Scheme:
    """Return the scheme with which ``system`` quantizes what is compared to ``bits`` bits."""
    options: dict[str, Any] = {**system.options, "fit": system.fit}
    options["weight_bits"] = WIDE_WEIGHTS if compared == "inputs" else bits
    options["activation_bits"] = WIDE_INPUTS if compared == "weights" else bits
    if system.scheme == "log" and compared != "weights":
        options["activations"] = "log"
    if system.scheme == "log" and compared == "inputs":
        options["weights"] = "fixed"
    scheme = make_scheme(system.scheme, options)
    if system.scheme == "fixed" and compared != "weights":
        network = subject.network(BatchNorm.FOLD)
        stored = network.read_by_layers_alone - network.entries
        others = [name for name in network.histograms if name not in stored]
        scheme = replace(scheme, overrides=tuple(Override(name, {"activation_bits": "8"}) for name in others))
    return scheme


def power_sums(subject: Subject, bits: int) -> Model:
    """Return the model with weights that are sums of powers of two, stored with more bits than they need."""
    network = subject.network(BatchNorm.FOLD)
    wide = make_scheme("fixed", {"weight_bits": SUMS, "activation_bits": WIDE_INPUTS, "fit": "weights"})
    weights = {
        layer.weight: quantized(network.values[layer.weight], bits, layer.channel_axis) for layer in network.layers
    }
    plan = replace(wide.propose(network), fitted=Fitted(weights))
    return convert(subject.model, plan=plan, target="simulation").model


def measure(subject: Subject, model: str, compared: str, bits: int) -> Iterator[Result]:
    """Yield the result of every system at one width."""
    (test,) = (each for each in subject.tests if each.labels is not None)
    reference = subject.expected(test).argmax(axis=1) == test.labels
    for system in systems(compared):
        try:
            if system is POWER_SUMS:
                converted = power_sums(subject, bits)
            else:
                converted = subject.converted(scheme_of(system, compared, bits, subject), "simulation")
        except QonnxToolsError as error:
            yield Result(model, compared, system.name, bits, None, str(error))
            continue
        output = subject.outputs(converted)[subject.tests.index(test)]
        paired = compare_paired(reference, output.argmax(axis=1) == test.labels)
        yield Result(model, compared, system.name, bits, paired)


def rows(results: Sequence[Result]) -> list[dict[str, str]]:
    """Return the rows of a table: a system each, a column a width."""
    cells = {(result.system, result.bits): str(result) for result in results}
    widths = sorted({result.bits for result in results}, reverse=True)
    names = dict.fromkeys(result.system for result in results)
    return [{"formats": name} | {f"{bits} bits": cells[name, bits] for bits in widths} for name in names]


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME")
    parser.add_argument("--compare", nargs="+", default=WHAT, choices=WHAT, metavar="NAME", help=", ".join(WHAT))
    parser.add_argument("--bits", nargs="+", type=int, default=BITS, metavar="N")
    parser.add_argument("--limit", type=int, help="test images at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    for model in options.models:
        subject = Subject.of(model, options.limit)
        for compared in options.compare:
            for bits in options.bits:
                for result in measure(subject, model, compared, bits):
                    results.append(result)
                    print(f"{compared}, {bits} bits, {result.system}: {result} {result.reason}", file=sys.stderr)
    if options.json:
        print(json.dumps({"machine": machine(), "results": [asdict(result) for result in results]}, indent=2))
        return
    print(machine())
    for model in options.models:
        for compared in options.compare:
            own = [result for result in results if (result.model, result.compared) == (model, compared)]
            print(f"\n{model}: {compared}\n\n{markdown_table(rows(own))}")


if __name__ == "__main__":
    main()
