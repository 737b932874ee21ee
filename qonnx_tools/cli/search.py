"""``qonnx search``: the cheapest plan within an accuracy budget."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.outputs import check_outputs, write_all
from qonnx_tools.cli.reporting import console, print_json
from qonnx_tools.cost import totals

if TYPE_CHECKING:
    from qonnx_tools.search.search import SearchResult

FOLDER, FRONT = ".search", ".front.json"
"""What the names of a search's folder and of its front end with, beside the plan."""


def search(
    model: options.Model,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The plan to write, JSON.", show_default=False)],
    data: Annotated[str, typer.Option(help="Images, best with labels: .npz, a folder, or module:function.")],
    max_drop: Annotated[float, typer.Option(help="Points of accuracy that the plan may cost.")] = 1.0,
    scheme: Annotated[str, typer.Option(help="fixed or log: the kind of number of the weights.")] = "fixed",
    cost: Annotated[
        list[str] | None,
        typer.Option(
            help="memory, multipliers, multiplier-inputs, shift-adds, bops or accumulators; may be repeated "
            "[memory and multipliers]."
        ),
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option(help="Options for the layers or tensors that match, as in qonnx convert.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that measure.")] = 1,
    cluster: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, in place of --workers.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a search that was stopped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    preset: options.Preset = None,
    preprocess: options.Preprocess = None,
    scale: options.Scale = None,
    mean: options.Mean = None,
    std: options.Std = None,
    layout: options.Layout = None,
    channel_order: options.ChannelOrder = None,
    resize: options.Resize = None,
    crop: options.Crop = None,
) -> None:
    """Find the cheapest widths for MODEL that cost no more accuracy than --max-drop, and write their plan to OUT.

    Beside OUT: OUT's front, the plans that no other beats (qonnx convert --plan FRONT --pick "drop<=0.5"), and a
    folder that --resume goes on with.
    """
    from qonnx_tools.plan import plan_files  # noqa: PLC0415  # slow to import
    from qonnx_tools.search.front import front_writer  # noqa: PLC0415
    from qonnx_tools.search.search import OBJECTIVE, SearchOptions  # noqa: PLC0415
    from qonnx_tools.search.search import search as run  # noqa: PLC0415

    folder, front = out.with_name(f"{out.stem}{FOLDER}"), out.with_name(f"{out.stem}{FRONT}")
    check_outputs({"OUT": out, "the front": front}, {"MODEL": model})
    with _progress() as report:
        result = run(
            model,
            data,
            folder,
            scheme=scheme,
            overrides=layer or (),
            options=SearchOptions(max_drop / 100, tuple(cost or OBJECTIVE), workers=workers, cluster=cluster),
            preprocessing=options.preprocessing_from(
                preset,
                preprocess,
                scale=scale,
                mean=mean,
                std=std,
                layout=layout,
                channel_order=channel_order,
                resize=resize,
                crop=crop,
            ),
            resume=resume,
            progress=report,
        )
    write_all({front: front_writer(result, folder, front)} | plan_files(result.best.plan, out))
    if as_json:
        print_json(to_json(result, out, front))
    else:
        _show(result, model, out, front)


def to_json(result: "SearchResult", out: Path, front: Path) -> dict[str, Any]:
    """Return ``result`` as JSON data; drops in points."""
    verdict = result.verdict
    return {
        "plan": str(out),
        "front": str(front),
        "accepted": verdict.accepted,
        "drop": 100 * verdict.loss,
        "drop_low": 100 * verdict.low,
        "drop_high": 100 * verdict.high,
        "images": verdict.images,
        "plans_measured": result.measured,
        "cost": result.objective.of(result.best.work),
        "totals": totals(result.best.work),
        "widths": dict(result.best.widths),
    }


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Yield what shows, on a terminal, what the search does and knows."""
    import sys  # noqa: PLC0415

    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  # slow to import
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("calibrating", total=None)
        yield lambda text, done, total: bar.update(task, description=text, completed=done, total=total or None)


def _show(result: "SearchResult", model: Path, out: Path, front: Path) -> None:
    screen, verdict, found = console(), result.verdict, totals(result.best.work)

    def line(text: str) -> None:
        screen.print(text, markup=False, soft_wrap=True)

    interval = f"{100 * verdict.loss:+.2f} [{100 * verdict.low:+.2f}, {100 * verdict.high:+.2f}] points"
    line(f"{'accepted' if verdict.accepted else 'not accepted'}: loss {interval} on {verdict.images} unseen images")
    for name, words in (("memory", "memory"), ("multiplier", "multipliers"), ("multiplier_input", "by true inputs")):
        line(f"{words}: {100 * found[f'{name}_saving_vs_8bit']:.1f} % below 8 bits everywhere")
    line(f"{result.measured} plans measured; {len(result.front)} on the front: {front}")
    line(f"wrote {out}")
    line(f"next: qonnx convert {model} CONVERTED.onnx --plan {out}")
