"""``qonnx convert``: a trained model in, a quantized graph out."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.converted import show, to_json, warn
from qonnx_tools.cli.feature_maps import options_of, with_feature_maps
from qonnx_tools.cli.outputs import Writer, check_outputs, write_all
from qonnx_tools.cli.reporting import print_json, progress
from qonnx_tools.cli.searching import FOLDER, FRONT, PLAN, files, search_run, with_search
from qonnx_tools.cli.searching import show as show_search
from qonnx_tools.cli.searching import to_json as search_to_json
from qonnx_tools.errors import ConfigError


@options.with_preprocessing
@with_search
@with_feature_maps
def convert(
    model: options.Model,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.", show_default=False)],
    scheme: Annotated[
        str | None, typer.Option(help="fixed (default): fixed point; log: weights that are powers of two.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Calibration images: .npz, a folder, or module:function. Without: batch-norm statistics."),
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="How many of them to use.")] = 512,
    weight_bits: Annotated[int | None, typer.Option(help="Width of weights [fixed: 8, log: 5].")] = None,
    activation_bits: Annotated[int | None, typer.Option(help="Width of activations [8].")] = None,
    bias_bits: Annotated[int | None, typer.Option(help="Width of biases [32].")] = None,
    rounding: Annotated[
        str | None, typer.Option(help="half_even (default), half_up, half_away, floor, ceil or toward_zero.")
    ] = None,
    first_last: Annotated[
        str | None, typer.Option(help="Weights of the first and the last layer in scheme log: log (default) or fixed8.")
    ] = None,
    log_base: options.LogBase = None,
    log_scale: Annotated[
        str | None, typer.Option(help="Scheme log: any (default), or power-of-two: then it costs no multiplier.")
    ] = None,
    log_rounding: Annotated[
        str | None,
        typer.Option(help="Scheme log: thresholds at arithmetic (linear, default) or geometric means (log)."),
    ] = None,
    log_activations: Annotated[
        bool, typer.Option("--log-activations", help="Scheme log: activations that layers read in log codes, too.")
    ] = False,
    trunk: Annotated[
        str | None,
        typer.Option(
            help="What more than layers read, as sums. Scheme fixed: same (default) as the others, or fixed8, of which "
            "layers read their own width. With --log-activations: fixed8 (default), fixed8-log, of which layers read "
            "log codes, or log everywhere."
        ),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            help="With --data, round weights to come near to the outputs of their layer or to the trained weights "
            "[auto: outputs in scheme log and below 8 bits]."
        ),
    ] = None,
    granularity: Annotated[
        str | None,
        typer.Option(help="What shares one format: network, class, layer (a tensor) or channel (default: of weights)."),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="Options for the layers or tensors that match: 'layer1/*:weight_bits=4,activation_bits=6'."),
    ] = None,
    batch_norm: options.BatchNorm = None,
    batch_norm_bits: Annotated[
        int | None, typer.Option(help="Width of a unit that is not folded, and of what it reads [16].")
    ] = None,
    residual_add: Annotated[
        str | None,
        typer.Option(
            help="separate (default): a layer's result is rounded before it is added to another tensor; merge: after."
        ),
    ] = None,
    accumulator_bits: Annotated[
        int | None, typer.Option(help="Width of accumulators where it is less than is safe: sums then wrap [safe].")
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            help="native: integer codes; simulation: quantizers on floats; qdq: the same as native in standard ONNX; "
            "qonnx: the QONNX dialect."
        ),
    ] = "native",
    tool: Annotated[
        str | None,
        typer.Option("--for", help="With --target qonnx: the tool that reads the file, hls4ml or finn."),
    ] = None,
    allow_inexact: Annotated[
        bool,
        typer.Option("--allow-inexact", help="Write what the target cannot carry exactly, and measure by how much."),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="With --target native: refuse what stays in float.")] = False,
    passes: Annotated[
        list[str] | None, typer.Option("--pass", help="Run this pass on the canonical graph; may be repeated.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="Apply this plan; the scheme's options do not go with it.")] = None,
    pick: Annotated[
        str | None, typer.Option(help="With --plan a front of qonnx search: the plan to take of it, as drop<=0.5.")
    ] = None,
    save_plan: Annotated[Path | None, typer.Option(help="Write the plan as JSON.")] = None,
    search: Annotated[
        bool,
        typer.Option("--search", help="Look for the plan first, as qonnx search does, and write it to OUT.plan.json."),
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each pass did and declined, and why.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    compressing: Any = None,
    searching: Any = None,
    preprocessing: Any = None,
) -> None:
    """Quantize MODEL and write it to OUT.

    Works with no option; calibration images (--data) make it better. A MODEL that is quantized already, in QONNX or
    with QuantizeLinear and DequantizeLinear, keeps its formats where they are powers of two.
    """
    from qonnx_tools.conversion import convert as run  # noqa: PLC0415  # slow to import
    from qonnx_tools.graph import save  # noqa: PLC0415
    from qonnx_tools.plan import plan_files  # noqa: PLC0415

    if pick is not None:
        plan = _picked(plan, pick)
    if search and compressing:
        raise ConfigError("--feature-maps does not go with --search: convert with --plan the plan that it finds")
    feature_maps = options_of(compressing, searching)
    if searching and not search:
        raise ConfigError(f"--{next(iter(searching)).replace('_', '-')} goes with --search")
    front = out.parent / f"{out.stem}{FRONT}"
    if search:
        save_plan = save_plan or out.parent / f"{out.stem}{PLAN}"
        _check_search(plan, data, passes, {
            "weight-bits": weight_bits, "activation-bits": activation_bits, "bias-bits": bias_bits,
        })  # fmt: skip
    outputs = (
        {"OUT": out} | ({"--save-plan": save_plan} if save_plan else {}) | ({"the front": front} if search else {})
    )
    check_outputs(outputs, {"MODEL": model} | ({"--plan": plan} if plan else {}))
    scheme_options: dict[str, Any] = {
        "batch_norm": batch_norm,
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        "bias_bits": bias_bits,
        "rounding": rounding,
        "first_last": first_last,
        "log_base": log_base,
        "log_scale": log_scale,
        "log_rounding": log_rounding,
        "activations": "log" if log_activations else None,
        "trunk": trunk,
        "fit": fit,
        "granularity": granularity,
        "batch_norm_bits": batch_norm_bits,
        "residual_add": residual_add,
        "accumulator_bits": accumulator_bits,
    }
    if search and data is not None and save_plan is not None:
        folder = out.parent / f"{out.stem}{FOLDER}"
        found = search_run(
            model,
            data,
            folder,
            searching,
            scheme=scheme or "fixed",
            scheme_options=scheme_options,
            overrides=layer or (),
            preprocessing=preprocessing,
        )
        conversion = run(
            model, plan=found.best.plan, target=target, tool=tool, allow_inexact=allow_inexact, strict=strict
        )
        write_all(files(found, save_plan, front, folder) | {out: partial(save, conversion.model)})
        warn(conversion)
        if as_json:
            print_json(to_json(conversion, out) | {"search": search_to_json(found, save_plan, front)})
        else:
            show_search(found, save_plan, front)
            show(conversion, model, out, explain=explain)
        return
    with progress("calibrating", "fitting layers", "compressing feature maps") as (report, fitting, tuning):
        conversion = run(
            model,
            scheme=scheme,
            plan=plan,
            data=data,
            images=images,
            preprocessing=preprocessing,
            overrides=layer or (),
            passes=passes or (),
            target=target,
            tool=tool,
            allow_inexact=allow_inexact,
            strict=strict,
            progress=report,
            fitting=fitting,
            feature_maps=feature_maps,
            tuning=tuning,
            **scheme_options,
        )
    writers: dict[Path, Writer] = {} if save_plan is None else plan_files(conversion.plan, save_plan)
    write_all(writers | {out: partial(save, conversion.model)})
    warn(conversion)
    if as_json:
        print_json(to_json(conversion, out))
    else:
        show(conversion, model, out, explain=explain)


def _check_search(plan: Path | None, data: str | None, passes: Sequence[str] | None, widths: dict[str, Any]) -> None:
    """Raise ``ConfigError`` for what does not go with --search."""
    if data is None:
        raise ConfigError("--search needs images: give --data, best with labels")
    if plan is not None:
        raise ConfigError("--search makes a plan: leave out --plan")
    if passes:
        raise ConfigError("--pass does not go with --search: run qonnx search on a model that the pass has been run on")
    for name, value in widths.items():
        if value is not None:
            raise ConfigError(f"--{name} is what --search chooses; --layer sets it for single layers")


def _picked(front: Path | None, condition: str) -> Path:
    from qonnx_tools.search.front import pick  # noqa: PLC0415  # slow to import

    if front is None:
        raise ConfigError("--pick goes with --plan: give the front of a search there")
    return pick(front, condition)
