"""The plans of a search that nothing beats, in a file: accuracy against cost."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qonnx_tools.cost import totals
from qonnx_tools.errors import ConfigError
from qonnx_tools.search.search import SearchResult
from qonnx_tools.strict_json import checked, parse_json

VERSION = 1
CONDITION = re.compile(r"\s*(drop|cost)\s*<=\s*(-?[0-9.]+)\s*")


@dataclass(frozen=True)
class _Entry:
    """A plan on the front: its file beside the front's, its loss in points, its cost beside 8 bits everywhere."""

    plan: str
    drop: float
    cost: float
    totals: dict[str, float]


@dataclass(frozen=True)
class _Wire:
    version: int
    costs: list[str]
    images: int
    plans: list[_Entry]


def front_writer(result: SearchResult, folder: Path, target: Path) -> Callable[[Path], None]:
    """Return what writes the front of ``result``, whose plans lie in ``folder``, for the place ``target``."""
    document = {
        "version": VERSION,
        "costs": list(result.objective.names),
        "images": result.best.total,
        "plans": [
            {
                "plan": Path(os.path.relpath(folder / each.file, target.parent)).as_posix(),
                "drop": 100 * each.loss,
                "cost": result.objective.of(each.work),
                "totals": totals(each.work),
            }
            for each in result.front
        ],
    }
    return lambda place: _write(place, document)


def pick(path: str | os.PathLike[str], condition: str) -> Path:
    """Return the plan of a front that ``condition`` picks: the cheapest with ``drop<=P``, the best with ``cost<=C``.

    Raises:
        ConfigError: the file is no front, the condition cannot be read, or no plan meets it.
    """
    found = CONDITION.fullmatch(condition)
    if found is None:
        raise ConfigError(f"pick is '{condition}'; give drop<=POINTS or cost<=SHARE, such as drop<=0.5")
    try:
        wire: _Wire = checked(_Wire, parse_json(Path(path).read_text(encoding="utf-8")), "")
    except OSError as error:
        raise ConfigError(f"front '{path}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"front '{path}' is not UTF-8 text; is it a front of a search?") from error
    except ConfigError as error:
        raise ConfigError(f"front '{path}': {error}") from error
    if wire.version != VERSION:
        raise ConfigError(f"front '{path}': version is {wire.version}; this qonnx-tools reads {VERSION}")
    name, limit = found.group(1), float(found.group(2))
    met = [each for each in wire.plans if getattr(each, name) <= limit]
    if not met:
        raise ConfigError(f"front '{path}' has no plan with {name}<={limit:g}; {_reach(wire, name)}")
    chosen = min(met, key=lambda each: each.cost if name == "drop" else each.drop)
    return Path(path).parent / chosen.plan


def _reach(wire: _Wire, name: str) -> str:
    least = min((getattr(each, name) for each in wire.plans), default=None)
    return "it is empty" if least is None else f"its least is {least:.4g}"


def _write(place: Path, document: Mapping[str, Any]) -> None:
    try:
        place.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"front '{place}' cannot be written: {error.strerror}") from error
