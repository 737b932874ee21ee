"""``qonnx evaluate``: how well a model does on labelled images."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.feature_maps import show_stored, stored_json
from qonnx_tools.cli.reporting import console, print_json, progress

if TYPE_CHECKING:
    from qonnx_tools.evaluation import Comparison, Evaluation, Score
    from qonnx_tools.statistics import Proportion


@options.with_preprocessing
def evaluate(
    model: options.Model,
    data: Annotated[str, typer.Option(help="Labelled images: .npz, a folder of class folders, or module:function.")],
    against: Annotated[Path | None, typer.Option(help="Another model to compare with: usually the float one.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use this many images, drawn at random with a fixed seed.")
    ] = None,
    labels: Annotated[bool, typer.Option("--labels/--no-labels", help="--no-labels compares outputs only.")] = True,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads for onnxruntime [all cores].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    preprocessing: Any = None,
) -> None:
    """Measure the accuracy of MODEL, with 95 % intervals, and its speed."""
    from qonnx_tools.evaluation import evaluate as run  # noqa: PLC0415  # slow to import

    with progress("evaluating") as (report,):
        result = run(
            model,
            data,
            against=against,
            limit=limit,
            preprocessing=preprocessing,
            threads=threads,
            labelled=labels,
            progress=report,
        )
    if as_json:
        print_json(to_json(result))
    else:
        _print(result)


def to_json(result: "Evaluation") -> dict[str, Any]:
    """Return ``result`` as JSON data; shares are in 0..1."""
    document = {"images": result.images, "data": result.data, **_score_json(result.model)}
    if result.against is not None:
        document["against"] = _comparison_json(result.against)
    if result.stored is not None:
        document["feature_maps"] = stored_json(result.stored)
    return document


def _score_json(score: "Score") -> dict[str, Any]:
    document: dict[str, Any] = {"model": score.name}
    for name, part in (("top1", score.top1), ("top5", score.top5)):
        if part is not None:
            document |= {name: part.share, f"{name}_interval": [part.low, part.high]}
    return document | {"images_per_second": score.images_per_second}


def _comparison_json(comparison: "Comparison") -> dict[str, Any]:
    document = _score_json(comparison.other)
    if comparison.agreement is not None:
        document |= {"agreement": comparison.agreement.share}
    finite = math.isfinite(comparison.sqnr_db)
    document |= {"identical_outputs": comparison.sqnr_db == math.inf, "sqnr_db": comparison.sqnr_db if finite else None}
    if comparison.paired is not None:
        paired = comparison.paired
        document["paired"] = {
            "difference": paired.difference,
            "interval": [paired.low, paired.high],
            "only_this_right": paired.only_candidate,
            "only_against_right": paired.only_reference,
            "p_value": paired.p_value,
        }
    return document


def _print(result: "Evaluation") -> None:
    from rich.table import Table  # noqa: PLC0415  # slow to import

    screen = console()
    for note in result.notes:
        screen.print(f"note: {note}", markup=False, soft_wrap=True)
    table = Table(title=f"{result.images} of {result.data}", title_justify="left")
    for name, justify in (("model", "left"), ("top-1 %", "right"), ("top-5 %", "right"), ("images/s", "right")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for score in (result.model, *([result.against.other] if result.against else [])):
        table.add_row(score.name, _percent(score.top1), _percent(score.top5), f"{score.images_per_second:,.0f}")
    screen.print(table)
    if result.against is not None:
        if result.against.paired is not None:
            paired = result.against.paired
            screen.print(
                f"difference {100 * paired.difference:+.2f} points, 95 % interval {100 * paired.low:+.2f} to "
                f"{100 * paired.high:+.2f} (paired: {paired.only_reference} lost, {paired.only_candidate} won)"
            )
        agreement = (
            f"same prediction on {100 * result.against.agreement.share:.2f} %; " if result.against.agreement else ""
        )
        screen.print(f"{agreement}output SQNR {result.against.sqnr_db:.1f} dB")
    if result.stored is not None:
        show_stored(screen, result.stored)
    screen.print(f"next: qonnx inspect {result.model.name}", markup=False, soft_wrap=True)


def _percent(part: "Proportion | None") -> str:
    if part is None:
        return "-"
    return f"{100 * part.share:.2f} ({100 * part.low:.2f}-{100 * part.high:.2f})"
