"""``qonnx verify``: are two graphs the same to the bit?"""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.reporting import console, print_json, progress

if TYPE_CHECKING:
    from qonnx_tools.verification import Verification


@options.with_preprocessing
def verify(
    model: Annotated[Path, typer.Argument(metavar="A", help="An ONNX file.", show_default=False)],
    other: Annotated[Path, typer.Argument(metavar="B", help="The ONNX file to compare with.", show_default=False)],
    data: Annotated[str, typer.Option(help="Images: .npz, a folder, or module:function.")],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use this many images, drawn at random with a fixed seed.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads for onnxruntime [all cores].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    preprocessing: Any = None,
) -> None:
    """Tell whether A and B compute the same outputs to the bit: exit 0, or 1 with the first tensor that differs.

    Both run with onnxruntime's optimizations and without. Tensors are matched by their name in the trained model, and
    integer codes by the numbers that they stand for.
    """
    from qonnx_tools.verification import verify as run  # noqa: PLC0415  # slow to import

    with progress("comparing") as (report,):
        result = run(model, other, data, limit=limit, preprocessing=preprocessing, threads=threads, progress=report)
    if as_json:
        print_json(to_json(result))
    else:
        _print(result, model, other)
    if not result.equal:
        raise typer.Exit(1)


def to_json(result: "Verification") -> dict[str, Any]:
    """Return ``result`` as JSON data; a number that JSON does not know is a string."""
    parting = None if result.parting is None else dataclasses.asdict(result.parting)
    if parting is not None:
        parting["values"] = [_number(value) for value in parting["values"]]
    return {
        "equal": result.equal,
        "images": result.images,
        "data": result.data,
        "outputs": list(result.outputs),
        "different_images": result.different,
        "largest_difference": _number(result.largest),
        "first_difference": parting,
    }


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _print(result: "Verification", model: Path, other: Path) -> None:
    screen = console()
    if result.parting is None:
        screen.print(
            f"equal: {len(result.outputs)} output{'s'[: len(result.outputs) != 1]} on {result.images:,} images, "
            "onnxruntime's optimizations on and off",
            style="bold",
            soft_wrap=True,
        )
        return
    first = result.parting
    mode = "on" if first.optimized else "off"
    kind = "tensor" if first.intermediate else "output"
    quantized = ", quantized" if first.quantized else ""
    count = f"{first.different:,} of {first.elements:,} elements"
    (value, other_value), (name, other_name) = first.values, first.names
    differing = f"{result.different:,} of {result.images:,} images"
    lines = (
        f"different: outputs of {differing}, by at most {result.largest:g}",
        f"first on image {first.image}, optimizations {mode}: {kind} '{first.tensor}'{quantized}, {count}",
        f"element {list(first.element)}: {value!r} in {model} ('{name}'), {other_value!r} in {other} ('{other_name}')",
    )
    for line in lines:
        screen.print(line, markup=False, soft_wrap=True)
