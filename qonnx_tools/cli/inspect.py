"""``qonnx inspect``: what is in a model."""

import dataclasses
import math
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.feature_maps import plan_json, show_maps
from qonnx_tools.cli.reporting import console, print_json
from qonnx_tools.cost import UNIFORM_BITS, totals

if TYPE_CHECKING:
    from qonnx_tools.accelerator import Accelerator
    from qonnx_tools.contents import LayerReport
    from qonnx_tools.inspection import Inspection
    from qonnx_tools.units import Unit


def inspect(
    model: options.Model,
    cost: Annotated[
        str | None,
        typer.Option(help="Also what it costs on an accelerator: its TOML file, or lut6.toml, lut4.toml."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the layers of MODEL with formats, bits, multiplications and sizes."""
    from qonnx_tools.accelerator import load_accelerator  # noqa: PLC0415  # slow to import
    from qonnx_tools.inspection import inspect as run  # noqa: PLC0415

    accelerator = load_accelerator(cost) if cost is not None else None
    result = run(model)
    found = accelerator_json(accelerator, result) if accelerator is not None else None
    if as_json:
        print_json(to_json(result) | ({"accelerator": found} if found else {}))
        return
    _print(result)
    if found:
        console().print(
            f"on {found['file']}: {found['cost']:,.0f} {found['unit']} x products an image, "
            f"{100 * found['share_of_8bit']:.1f} % of 8 bits everywhere",
            markup=False,
            soft_wrap=True,
        )


def accelerator_json(accelerator: "Accelerator", result: "Inspection") -> dict[str, Any]:
    """Return what a model costs on an accelerator, and the share of that of the same model with 8 bits everywhere."""
    cost, uniform = (accelerator.cost(work) for work in (result.work, result.work.with_bits(UNIFORM_BITS)))
    share = cost / uniform if uniform else 0.0
    return {"file": accelerator.file, "unit": accelerator.unit, "cost": cost, "share_of_8bit": share}


def to_json(result: "Inspection") -> dict[str, Any]:
    """Return ``result`` as JSON data; layers name the unit that serves them by its place in ``units``."""
    serving = {layer: place for place, item in enumerate(result.units) for layer in item.layers}
    document = dataclasses.asdict(dataclasses.replace(result, tensors=()))
    del document["work"], document["compressed"]
    return document | {
        "totals": totals(result.work),
        "pruned": list(result.pruned),
        "layers": [{**dataclasses.asdict(layer), "unit": serving.get(layer.name)} for layer in result.layers],
        "units": [
            {
                **dataclasses.asdict(item.unit),
                "input_table": item.unit.input_table,
                "weight_table": item.unit.weight_table,
                "accumulators": item.unit.accumulators,
                "accumulator_bits": item.accumulator_bits,
                "layers": item.layers,
            }
            for item in result.units
        ],
        "feature_maps": [
            {"tensor": item.tensor, **plan_json(item.plan), "bits": item.format.bits, "shape": item.shape}
            for item in result.compressed
        ],
        "tensors": [
            {"name": item.name, "kind": item.format.kind, **dataclasses.asdict(item.format), "rounding": item.rounding}
            for item in result.tensors
        ],
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
    if result.compressed:
        show_maps(screen, result.compressed)
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
    for item in result.units:
        line = f"one {item.unit.kind} unit serves {len(item.layers)} of {len(result.layers)} layers: {_unit(item.unit)}"
        count = "an accumulator" if item.unit.accumulators == 1 else "two accumulators"
        screen.print(f"{line}, {count} of {item.accumulator_bits} bits", markup=False, soft_wrap=True)
    screen.print(
        f"{result.macs:,} MACs an image; {result.weights:,} weights and biases: "
        f"{result.weight_bits_stored / 8192:,.1f} KiB, {result.weight_bits_float / 8192:,.1f} KiB as float32"
    )
    found = totals(result.work)
    memory, peak = found["memory_bits"] / 8192, found["peak_map_memory_bits"] / 8192
    saved = ", ".join(
        f"{words} {100 * found[f'{name}_saving_vs_8bit']:.1f} %"
        for name, words in (
            ("memory", "memory"),
            ("multiplier", "multipliers"),
            ("multiplier_input", "by their inputs"),
        )
    )
    screen.print(f"{memory:,.1f} KiB with all activations, of which {peak:,.1f} KiB are kept at once", soft_wrap=True)
    screen.print(f"below 8 bits everywhere: {saved}", markup=False, soft_wrap=True)
    if result.pruned:
        screen.print(f"pruned, all of it zero: {', '.join(result.pruned)}", markup=False, soft_wrap=True)


def _unit(unit: "Unit") -> str:
    sign = "signed" if unit.input_signed else "unsigned"
    if unit.steps is None:
        return f"{unit.input_bits}-bit {sign} inputs by {unit.weight_bits}-bit weights"
    base = "base 2" if unit.steps == 1 else "base sqrt 2"
    inputs = f"{unit.input_bits}-bit {sign} {'fixed' if unit.guard_bits is None else 'log'} inputs"
    smallest = f"1 to {_power(unit.weight_table)}"
    weights = f"{unit.weight_bits}-bit log weights, {base}, magnitudes {smallest}"
    if unit.guard_bits is None:
        return f"{inputs} by {weights}"
    dropped = "products below them dropped" if unit.drops_products else "no product dropped"
    return (
        f"{inputs}, magnitudes 1 to {_power(unit.input_table)}, by {weights}, {unit.guard_bits} guard bits, {dropped}"
    )


def _power(table: "tuple[float, ...] | None") -> str:
    return f"2^{math.log2(table[0]):g}" if table else "none"


def _bits(bits: int | None) -> str:
    return "-" if bits is None else str(bits)


def _accumulator(layer: "LayerReport") -> str:
    if layer.accumulator_bits is None:
        return "-"
    is_safe = layer.accumulator_bits == layer.safe_accumulator_bits
    return f"{layer.accumulator_bits}" if is_safe else f"{layer.accumulator_bits} of {layer.safe_accumulator_bits}"
