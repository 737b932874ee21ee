"""``qonnx inspect``: what is in a model."""

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.reporting import console, print_json

if TYPE_CHECKING:
    from qonnx_tools.inspection import Inspection, LayerReport


def inspect(model: options.Model, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the layers of MODEL with formats, bits, multiplications and sizes."""
    from qonnx_tools.inspection import inspect as run  # noqa: PLC0415  # slow to import

    result = run(model)
    if as_json:
        print_json(to_json(result))
    else:
        _print(result)


def to_json(result: "Inspection") -> dict[str, Any]:
    """Return ``result`` as JSON data."""
    return dataclasses.asdict(dataclasses.replace(result, tensors=())) | {
        "tensors": [
            {"name": item.name, "kind": item.format.kind, **dataclasses.asdict(item.format), "rounding": item.rounding}
            for item in result.tensors
        ]
    }


def _print(result: "Inspection") -> None:
    from rich.table import Table  # noqa: PLC0415  # slow to import

    screen = console()
    table = Table(title="layers", title_justify="left")
    left = ("layer", "op", "weights", "format")
    for name in (*left, "bias", "in", "out", "accumulator", "MACs"):
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for layer in result.layers:
        table.add_row(
            layer.name,
            layer.op,
            "x".join(map(str, layer.weight_shape)),
            f"{layer.weight_kind} {layer.weight_bits}" if layer.weight_kind else "float 32",
            *(_bits(bits) for bits in (layer.bias_bits, layer.input_bits, layer.output_bits)),
            _accumulator(layer),
            "?" if layer.macs is None else f"{layer.macs:,}",
        )
    screen.print(table)
    for title, tensors in (("input", result.inputs), ("output", result.outputs)):
        for name, shape in tensors.items():
            screen.print(f"{title} {name} {shape}", markup=False, soft_wrap=True)
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(result.operators.items()))
    screen.print(f"operators: {kinds}", markup=False, soft_wrap=True)
    formats = Counter(f"{item.format.kind} {item.format.bits}" for item in result.tensors)
    if formats:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(formats.items()))
        screen.print(f"formats of tensors: {counts}", markup=False, soft_wrap=True)
    if result.affine_units or result.tables:
        screen.print(
            f"{result.affine_units} affine units; {result.tables} lookup tables of {result.table_entries:,} entries"
        )
    screen.print(
        f"{result.macs:,} MACs an image; {result.weights:,} weights and biases: "
        f"{result.weight_bits_stored / 8192:,.1f} KiB, {result.weight_bits_float / 8192:,.1f} KiB as float32"
    )


def _bits(bits: int | None) -> str:
    return "-" if bits is None else str(bits)


def _accumulator(layer: "LayerReport") -> str:
    if layer.accumulator_bits is None:
        return "-"
    is_safe = layer.accumulator_bits == layer.safe_accumulator_bits
    return f"{layer.accumulator_bits}" if is_safe else f"{layer.accumulator_bits} of {layer.safe_accumulator_bits}"
