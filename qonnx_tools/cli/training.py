"""The options of a training."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.errors import ConfigError

if TYPE_CHECKING:
    from qonnx_tools.finetune.options import FinetuneOptions

_TRAINING, _PROGRESSIVE = "Training", "Little by little"

_OPTIONS: Mapping[str, Any] = {
    "epochs": Annotated[int | None, typer.Option(help="Passes over the images [10].", rich_help_panel=_TRAINING)],
    "batch_size": Annotated[int | None, typer.Option(help="Images of one step [128].", rich_help_panel=_TRAINING)],
    "lr": Annotated[
        float | None,
        typer.Option(
            help="Highest learning rate, as a share of the size of the weights [0.002].", rich_help_panel=_TRAINING
        ),
    ],
    "scale_lr": Annotated[
        float | None,
        typer.Option(
            help="That of learned scales, as a multiple of --lr; 0 leaves them [0.1].", rich_help_panel=_TRAINING
        ),
    ],
    "optimizer": Annotated[str | None, typer.Option(help="adam (default) or sgd.", rich_help_panel=_TRAINING)],
    "schedule": Annotated[
        str | None, typer.Option(help="cosine (default): down to 0; constant.", rich_help_panel=_TRAINING)
    ],
    "warmup": Annotated[
        float | None, typer.Option(help="Epochs over which the rate rises [0.1].", rich_help_panel=_TRAINING)
    ],
    "teacher": Annotated[
        float | None,
        typer.Option(
            help="Share of the float model's answers in the loss; labels have the rest [1].", rich_help_panel=_TRAINING
        ),
    ],
    "temperature": Annotated[
        float | None,
        typer.Option(
            help="What logits are divided by before they are compared with its [1].", rich_help_panel=_TRAINING
        ),
    ],
    "no_labels": Annotated[
        bool | None, typer.Option("--no-labels", help="Do not look at labels.", rich_help_panel=_TRAINING)
    ],
    "augment": Annotated[
        str | None,
        typer.Option(
            help="shift (default): images moved by up to an eighth; shift-flip: mirrored, too; none.",
            rich_help_panel=_TRAINING,
        ),
    ],
    "mix": Annotated[
        float | None,
        typer.Option(
            help="Mix each image with another, with up to this share of it, at most 0.5 [0].", rich_help_panel=_TRAINING
        ),
    ],
    "validation": Annotated[
        float | None,
        typer.Option(help="Share of the images that the best epoch is chosen on [0.1].", rich_help_panel=_TRAINING),
    ],
    "images": Annotated[int | None, typer.Option(help="How many images to read [all].", rich_help_panel=_TRAINING)],
    "seed": Annotated[
        int | None, typer.Option(help="Of the order of images and their shifts [0].", rich_help_panel=_TRAINING)
    ],
    "precision": Annotated[
        str | None,
        typer.Option(
            help="Of gradients: auto (default): bfloat16 on a CPU with matrix units for it; float32; bfloat16.",
            rich_help_panel=_TRAINING,
        ),
    ],
    "device": Annotated[
        str | None, typer.Option(help="auto (default): a GPU where there is one; cpu; cuda.", rich_help_panel=_TRAINING)
    ],
    "freeze_statistics": Annotated[
        float | None,
        typer.Option(
            help="Share of the training after which batch normalizations keep their statistics [0.5].",
            rich_help_panel=_TRAINING,
        ),
    ],
    "average": Annotated[
        float | None, typer.Option(help="Average the weights, so slowly: 0.999 [0: no].", rich_help_panel=_PROGRESSIVE)
    ],
    "wider_bits": Annotated[
        int | None,
        typer.Option(help="Begin with so many bits more, down to the plan's [0].", rich_help_panel=_PROGRESSIVE),
    ],
    "groups": Annotated[
        str | None,
        typer.Option(
            help="Quantize weights in groups, the largest first: 0.5,0.75,0.9,1.", rich_help_panel=_PROGRESSIVE
        ),
    ],
    "retain": Annotated[
        float | None,
        typer.Option(
            help="Learn which channels of compressed maps keep their finest bands: this share of them.",
            rich_help_panel=_PROGRESSIVE,
        ),
    ],
    "retain_from": Annotated[
        str | None,
        typer.Option(
            help="all (default): that share of all maps together; each: of every map.", rich_help_panel=_PROGRESSIVE
        ),
    ],
    "rate_weight": Annotated[
        float | None,
        typer.Option(
            help="Lessen the bits of compressed maps as well: weight of the bits a value in the loss [0].",
            rich_help_panel=_TRAINING,
        ),
    ],
}
_NAMES = {"lr": "learning_rate", "scale_lr": "scale_learning_rate"}


def _training(no_labels: bool | None, groups: str | None, scale_lr: float | None, **given: Any) -> "FinetuneOptions":
    """Return the training that the options describe. Raises ``ConfigError`` for a bad value."""
    from qonnx_tools.finetune.options import FinetuneOptions  # noqa: PLC0415  # slow to import

    chosen = {_NAMES.get(name, name): value for name, value in given.items() if value is not None}
    if scale_lr is not None:
        chosen |= {"scale_learning_rate": scale_lr, "learn_scales": scale_lr > 0}
    if groups is not None:
        chosen["groups"] = _shares(groups)
    return FinetuneOptions(labels=not no_labels, **chosen)


with_training = options.with_options(_OPTIONS, "training", _training)
"""Adds the options of a training to a command, which gets ``training``."""


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"groups is '{text}'; give shares with commas between them, such as 0.5,0.75,0.9,1") from None
