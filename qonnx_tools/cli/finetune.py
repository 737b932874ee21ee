"""``qonnx finetune``: a plan whose weights, scales and masks are trained through its number formats."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.ending import Interrupted
from qonnx_tools.cli.outputs import check_outputs, write_all
from qonnx_tools.cli.reporting import console, narrated_progress, print_json
from qonnx_tools.cli.searching import PLAN
from qonnx_tools.cli.training import with_training
from qonnx_tools.errors import ConfigError

if TYPE_CHECKING:
    from qonnx_tools.finetune.finetune import Finetuned

FOLDER = ".finetune"
"""What the name of a training's folder ends with."""


@options.with_preprocessing
@with_training
def finetune(
    model: options.Model,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The graph to write.", show_default=False)],
    plan: Annotated[Path, typer.Option(help="The plan to train: of qonnx convert --save-plan or qonnx search.")],
    data: Annotated[str, typer.Option(help="Training images, best with labels: .npz, a folder, or module:function.")],
    distill: Annotated[
        Path | None, typer.Option(help="Float model whose answers are learned [MODEL].", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the training in this folder.", show_default=False)
    ] = None,
    target: Annotated[str, typer.Option(help="What OUT is lowered to, as in qonnx convert.")] = "native",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    training: Any = None,
    preprocessing: Any = None,
) -> None:
    """Train MODEL through the number formats of --plan, and write the graph of the best epoch to OUT.

    Beside OUT: the plan that was learned, with its weights, and a folder with the state that --resume goes on from,
    the best plan so far and log.jsonl, the losses. Ctrl-C ends the training with the best epoch so far.
    """
    folder, learned = resume or out.parent / f"{out.stem}{FOLDER}", out.parent / f"{out.stem}{PLAN}"
    check_outputs({"OUT": out, "the plan": learned}, {"MODEL": model, "--plan": plan})
    if resume is not None and not resume.is_dir():
        raise ConfigError(f"--resume '{resume}' is no folder; give the one that a training left beside its OUT")
    _require_torch()
    from qonnx_tools.finetune.finetune import finetune as train  # noqa: PLC0415  # slow to import
    from qonnx_tools.graph import save  # noqa: PLC0415
    from qonnx_tools.plan import plan_files  # noqa: PLC0415

    with narrated_progress() as report:
        result = train(
            model,
            plan,
            data,
            folder,
            options=training,
            preprocessing=preprocessing,
            teacher=distill,
            resume=resume is not None,
            target=target,
            progress=report,
        )
    write_all(plan_files(result.plan, learned) | {out: lambda place: save(result.conversion.model, place)})
    if as_json:
        print_json(_to_json(result, out, learned, folder))
    else:
        _show(result, model, out, learned)
    if result.interrupted:
        sys.stderr.write(f"{out} is of the best epoch so far; go on with --resume {folder}\n")
        raise Interrupted


def _require_torch() -> None:
    try:
        import torch  # noqa: F401, PLC0415  # slow to import
    except ImportError as error:
        raise ConfigError("qonnx finetune needs PyTorch; run: pip install 'qonnx-tools[finetune]'") from error


def _to_json(result: "Finetuned", out: Path, plan: Path, folder: Path) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    return {
        "out": str(out),
        "plan": str(plan),
        "folder": str(folder),
        "interrupted": result.interrupted,
        "given": asdict(result.measured[0]),
        "best": asdict(result.best),
        "epochs": [asdict(each) for each in result.measured],
    }


def _show(result: "Finetuned", model: Path, out: Path, plan: Path) -> None:
    screen, given, best = console(), result.measured[0], result.best

    def line(text: str) -> None:
        screen.print(text, markup=False, soft_wrap=True)

    for each in result.measured:
        top1 = "" if each.top1 is None else f", {100 * each.top1:.2f} %"
        bits = "" if each.bits is None else f", maps of {each.bits:.2f} bits a value"
        line(f"{'as given' if each.epoch == 0 else f'epoch {each.epoch}'}: loss {each.loss:.4f}{top1}{bits}")
    if best.epoch == given.epoch:
        line("no epoch is better than the plan as given, which is kept: train longer, or with a smaller --lr")
    if best.differing:
        line(f"{best.differing} of {best.images} images: another class in float32, whose sums round, than in integers")
    line(f"wrote {out}, of {'the plan as given' if best.epoch == 0 else f'epoch {best.epoch}'}, and {plan}")
    line(f"next: qonnx evaluate {out} --against {model} --data LABELLED_TEST_IMAGES")
