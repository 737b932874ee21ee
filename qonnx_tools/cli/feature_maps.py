"""Feature maps that are stored compressed: options of ``qonnx convert``, and what commands say of them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from qonnx_tools.compression.options import FeatureMapOptions
    from qonnx_tools.compression.stored import Size, StoredMaps
    from qonnx_tools.feature_map_plan import FeatureMapPlan
    from qonnx_tools.round_trips import CompressedMap


_PANEL = "Compressed feature maps"
_OPTIONS: Mapping[str, Any] = {
    "feature_maps": Annotated[
        str | None,
        typer.Option(
            help="Store feature maps compressed: wavelet53, haar, predictive, none (no transform, coded as they are), "
            "or auto, by measured bytes at equal error.",
            rich_help_panel=_PANEL,
        ),
    ],
    "feature_map_at": Annotated[
        list[str] | None,
        typer.Option(
            help="blocks (default): outputs of residual blocks; all; a name or a pattern; may be repeated.",
            rich_help_panel=_PANEL,
        ),
    ],
    "feature_map_step": Annotated[
        float | None,
        typer.Option(
            help="Quantization step as a share of the range of the codes [0: lossless]; --max-drop chooses it.",
            rich_help_panel=_PANEL,
        ),
    ],
    "feature_map_drop": Annotated[
        float | None,
        typer.Option(
            help="Share of the finest bands to leave out, where they have the least effect; needs --data.",
            rich_help_panel=_PANEL,
        ),
    ],
    "feature_map_drop_from": Annotated[
        str | None,
        typer.Option(
            help="all (default): bands of whatever map; each: of every map that share of its channels.",
            rich_help_panel=_PANEL,
        ),
    ],
    "feature_map_coder": Annotated[
        str | None, typer.Option(help="context (default), rice or sparse-golomb.", rich_help_panel=_PANEL)
    ],
    "feature_map_levels": Annotated[int | None, typer.Option(help="Of a wavelet, 1 to 3 [3].", rich_help_panel=_PANEL)],
}


def _given(**given: Any) -> dict[str, Any]:
    """Return the options that were given, by name."""
    return {name: value for name, value in given.items() if value not in (None, [])}


with_feature_maps = options.with_options(_OPTIONS, "compressing", _given)
"""Adds the options of compressed feature maps to a command, which gets those that were given as ``compressing``."""


def options_of(compressing: Mapping[str, Any], searching: dict[str, Any]) -> "FeatureMapOptions | None":
    """Return how feature maps are compressed, or None; ``--max-drop`` is taken out of the options of a search."""
    from qonnx_tools.compression.options import FeatureMapOptions  # noqa: PLC0415  # slow to import

    if "feature_maps" not in compressing:
        for name in compressing:
            raise ConfigError(f"--{name.replace('_', '-')} goes with --feature-maps")
        return None
    drop = searching.pop("max_drop", None)
    names = {"transform": "feature_maps"}
    names |= {field: f"feature_map_{field}" for field in ("step", "drop", "drop_from", "coder", "levels", "at")}
    given = {field: compressing[name] for field, name in names.items() if name in compressing}
    if "at" in given:
        given["at"] = tuple(given["at"])
    return FeatureMapOptions(**given, max_drop=None if drop is None else drop / 100)


def stored_json(stored: "StoredMaps") -> dict[str, Any]:
    """Return the bytes of feature maps as JSON data; bytes are means of an image."""
    maps = [
        {"tensor": item.tensor, **plan_json(item.plan), "shape": list(item.shape), "bits": item.bits}
        | size_json(item.size)
        for item in stored.maps
    ]
    return {**size_json(stored.total), "maps": maps}


def size_json(size: "Size") -> dict[str, float]:
    """Return bytes of an image, and what follows from them, as JSON data."""
    return {
        "bytes": size.bytes,
        "ratio_vs_32bit": size.ratio_vs_32bit,
        "ratio_vs_own_width": size.ratio_vs_own_width,
        "bits_a_value": size.bits_a_value,
    }


def show_stored(screen: "Console", stored: "StoredMaps") -> None:
    """Print the bytes of feature maps as a table."""
    from rich.table import Table  # noqa: PLC0415  # slow to import

    table = Table(title="compressed feature maps, bytes of an image", title_justify="left")
    left = ("map", "coding")
    for name in (*left, "step", "dropped", "bits", "bytes", "bits a value", "to 32-bit", "to own width"):
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for item in stored.maps:
        table.add_row(item.tensor, *coding_cells(item.plan, item.shape[0]), str(item.bits), *_figures(item.size))
    table.add_section()
    table.add_row("all", "", "", "", "", *_figures(stored.total))
    screen.print(table)


def show_maps(screen: "Console", maps: "tuple[CompressedMap, ...]") -> None:
    """Print which feature maps are compressed and how, as a table."""
    from rich.table import Table  # noqa: PLC0415  # slow to import

    table = Table(title="compressed feature maps", title_justify="left")
    left = ("map", "coding")
    for name in (*left, "step", "dropped", "bits", "shape"):
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for item in maps:
        shape = "?" if item.shape is None else "x".join(map(str, item.shape))
        table.add_row(item.tensor, *coding_cells(item.plan, item.channels), str(item.format.bits), shape)
    screen.print(table)


def plan_json(plan: "FeatureMapPlan") -> dict[str, Any]:
    """Return how a map is compressed as JSON data, every key of it."""
    return {
        "transform": str(plan.transform),
        "levels": plan.levels,
        "coder": str(plan.coder),
        "step": plan.step,
        "dropped": list(plan.dropped),
    }


def coding_cells(plan: "FeatureMapPlan", channels: int | None) -> tuple[str, str, str]:
    """Return coding, step and dropped channels in words."""
    levels = f" {plan.levels}" if plan.levels else ""
    step = "lossless" if plan.step == 1 and not plan.dropped else f"{plan.step:g}"
    of = "" if channels is None else f" of {channels}"
    return f"{plan.transform}{levels}, {plan.coder}", step, f"{len(plan.dropped)}{of}" if plan.dropped else "-"


def _figures(of: "Size") -> tuple[str, ...]:
    return (
        f"{math.ceil(of.bytes):,}",
        f"{of.bits_a_value:.2f}",
        f"{of.ratio_vs_32bit:.2f}",
        f"{of.ratio_vs_own_width:.2f}",
    )
