"""``qonnx search``: the cheapest plan within an accuracy budget."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.outputs import check_outputs, write_all
from qonnx_tools.cli.reporting import console, print_json
from qonnx_tools.cli.searching import FOLDER, FRONT, files, search_run, show, to_json, with_search


@options.with_preprocessing
@with_search
def search(
    model: options.Model,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The plan to write, JSON.", show_default=False)],
    data: Annotated[str, typer.Option(help="Images, best with labels: .npz, a folder, or module:function.")],
    scheme: Annotated[str, typer.Option(help="fixed or log: the kind of number of the weights.")] = "fixed",
    layer: Annotated[
        list[str] | None, typer.Option(help="Options for the layers or tensors that match, as in qonnx convert.")
    ] = None,
    log_base: Annotated[
        str | None, typer.Option(help="Scheme log: 2 or sqrt2, in all layers; chosen for each layer if left out.")
    ] = None,
    batch_norm: options.BatchNorm = None,
    residual_add: Annotated[
        str | None,
        typer.Option(
            help="merge (default): a layer's sums are added to another tensor as they are; separate: rounded first."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    searching: Any = None,
    preprocessing: Any = None,
) -> None:
    """Find the cheapest widths for MODEL that cost no more accuracy than --max-drop, and write their plan to OUT.

    Beside OUT: OUT's front, the plans that no other beats (qonnx convert --plan FRONT --pick "drop<=0.5"), and a
    folder that --resume goes on with.
    """
    folder, front = out.parent / f"{out.stem}{FOLDER}", out.parent / f"{out.stem}{FRONT}"
    check_outputs({"OUT": out, "the front": front}, {"MODEL": model})
    result = search_run(
        model,
        data,
        folder,
        searching,
        scheme=scheme,
        scheme_options={"batch_norm": batch_norm, "residual_add": residual_add, "log_base": log_base},
        overrides=layer or (),
        preprocessing=preprocessing,
    )
    write_all(files(result, out, front, folder))
    if as_json:
        print_json(to_json(result, out, front))
    else:
        show(result, out, front)
        console().print(f"next: qonnx convert {model} CONVERTED.onnx --plan {out}", markup=False, soft_wrap=True)
