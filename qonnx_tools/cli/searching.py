"""What ``qonnx search`` and ``qonnx convert --search`` share: options, a run with progress, files and words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.outputs import Writer
from qonnx_tools.cli.reporting import console, narrated_progress
from qonnx_tools.cost import totals
from qonnx_tools.errors import ConfigError

if TYPE_CHECKING:
    from qonnx_tools.data import Preprocessing
    from qonnx_tools.search.search import SearchResult

FOLDER, FRONT, PLAN = ".search", ".front.json", ".plan.json"
"""What the names of a search's folder, of its front and of the plan end with."""
_PANEL = "Search"
MAX_DROP = 1.0

_OPTIONS: Mapping[str, Any] = {
    "max_drop": Annotated[
        float | None, typer.Option(help="Points of accuracy that the plan may cost [1].", rich_help_panel=_PANEL)
    ],
    "relative": Annotated[
        bool | None,
        typer.Option(
            "--relative", help="--max-drop is in percent of the float model's accuracy.", rich_help_panel=_PANEL
        ),
    ],
    "cost": Annotated[
        list[str] | None,
        typer.Option(
            help="memory, multipliers, multiplier-inputs, shift-adds, bops, accumulators, feature-map-bytes, or the "
            "TOML file of an accelerator; may be repeated [memory and multipliers].",
            rich_help_panel=_PANEL,
        ),
    ],
    "budget": Annotated[
        list[str] | None,
        typer.Option(
            help="A limit on a cost, as a share of that with 8 bits everywhere: memory=0.5, peak=0.4; may be repeated.",
            rich_help_panel=_PANEL,
        ),
    ],
    "method": Annotated[
        str | None,
        typer.Option(
            help="program (default): an integer program and joint measurements; sequential: tensor after tensor.",
            rich_help_panel=_PANEL,
        ),
    ],
    "workers": Annotated[int | None, typer.Option(min=1, help="Processes that measure [1].", rich_help_panel=_PANEL)],
    "cluster": Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler, in place of --workers.", rich_help_panel=_PANEL),
    ],
    "resume": Annotated[
        bool | None,
        typer.Option("--resume", help="Go on with a search that was stopped.", rich_help_panel=_PANEL),
    ],
}


def _given(**given: Any) -> dict[str, Any]:
    """Return the options that were given, by name."""
    return {name: value for name, value in given.items() if value}


with_search = options.with_options(_OPTIONS, "searching", _given)
"""Adds the options of a search to a command, which gets those that were given as ``searching``."""


def search_run(
    model: Path,
    data: str,
    folder: Path,
    searching: Mapping[str, Any],
    *,
    scheme: str,
    scheme_options: Mapping[str, Any],
    overrides: Sequence[str],
    preprocessing: "Preprocessing | None",
) -> "SearchResult":
    """Search as the options ``searching`` say, with progress on a terminal."""
    from qonnx_tools.search.options import OBJECTIVE, PROGRAM, SearchOptions  # noqa: PLC0415  # slow to import
    from qonnx_tools.search.search import search  # noqa: PLC0415

    chosen = SearchOptions(
        max_drop=searching.get("max_drop", MAX_DROP) / 100,
        relative=searching.get("relative", False),
        cost=tuple(searching.get("cost", OBJECTIVE)),
        limits=dict(map(_limit, searching.get("budget", ()))),
        method=searching.get("method", PROGRAM),
        workers=searching.get("workers", 1),
        cluster=searching.get("cluster"),
    )
    with narrated_progress() as report:
        return search(
            model,
            data,
            folder,
            scheme=scheme,
            scheme_options={name: value for name, value in scheme_options.items() if value is not None},
            overrides=overrides,
            options=chosen,
            preprocessing=preprocessing,
            resume=searching.get("resume", False),
            progress=report,
        )


def files(result: "SearchResult", plan: Path, front: Path, folder: Path) -> dict[Path, Writer]:
    """Return what a search leaves behind beside its folder."""
    from qonnx_tools.plan import plan_files  # noqa: PLC0415  # slow to import
    from qonnx_tools.search.front import front_writer  # noqa: PLC0415

    return {front: front_writer(result, folder, front)} | plan_files(result.best.plan, plan)


def to_json(result: "SearchResult", plan: Path, front: Path) -> dict[str, Any]:
    """Return ``result`` as JSON data; drops in points."""
    verdict = result.verdict
    return {
        "plan": str(plan),
        "front": str(front),
        "accepted": verdict.accepted,
        "drop": 100 * verdict.loss,
        "drop_low": 100 * verdict.low,
        "drop_high": 100 * verdict.high,
        "images": verdict.images,
        "plans_measured": result.measured,
        "inferences": result.inferences,
        "cost": result.objective.of(result.best.work),
        "totals": totals(result.best.work),
        "pruned": list(result.pruned),
        "widths": dict(result.best.widths),
    }


def show(result: "SearchResult", plan: Path, front: Path) -> None:
    """Print what was found."""
    screen, verdict, found = console(), result.verdict, totals(result.best.work)

    def line(text: str) -> None:
        screen.print(text, markup=False, soft_wrap=True)

    interval = f"{100 * verdict.loss:+.2f} [{100 * verdict.low:+.2f}, {100 * verdict.high:+.2f}] points"
    line(f"{'accepted' if verdict.accepted else 'not accepted'}: loss {interval} on {verdict.images} unseen images")
    for name, words in (("memory", "memory"), ("multiplier", "multipliers"), ("multiplier_input", "by true inputs")):
        line(f"{words}: {100 * found[f'{name}_saving_vs_8bit']:.1f} % below 8 bits everywhere")
    if result.pruned:
        line(f"pruned, all of it zero: {', '.join(result.pruned)}")
    line(f"{result.measured} plans measured, {result.inferences:,.0f} inferences")
    line(f"{len(result.front)} plans on the front: {front}")
    line(f"wrote {plan}")


def _limit(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    try:
        return name.strip(), float(number if equals else "")
    except ValueError:
        raise ConfigError(f"budget is '{text}'; give COST=SHARE, such as memory=0.5") from None
