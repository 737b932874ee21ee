"""JSON data as dataclasses: unknown, missing and repeated keys and wrong types are errors that say where."""

import dataclasses
import json
from functools import cache
from typing import Any, get_type_hints

import numpy as np

from qonnx_tools.errors import ConfigError


def parse_json(text: str) -> Any:
    """Return the JSON data of ``text``. Raises ``ConfigError`` that names the line, or a key that is there twice."""
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise ConfigError(f"line {error.lineno}: not JSON: {error.msg}") from error
    except RecursionError as error:
        raise ConfigError("nested too deeply") from error


def checked(cls: Any, document: object, where: str) -> Any:
    """Build the dataclass ``cls`` from JSON data, with the names and types of its fields enforced.

    Raises ``ConfigError`` that begins with the place of the fault inside ``where``.
    """
    from pydantic import ValidationError  # noqa: PLC0415  # slow to import, rarely needed

    try:
        found = _reader(cls).model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(part for part in (where, *map(str, first["loc"])) if part) or "the document"
        raise ConfigError(f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}") from error
    return cls(**{item.name: getattr(found, item.name) for item in dataclasses.fields(cls)})


@cache
def _reader(cls: Any) -> Any:
    """Return the pydantic model with the fields of the dataclass ``cls``."""
    from pydantic import ConfigDict, Field, create_model  # noqa: PLC0415  # slow to import, rarely needed

    hints = get_type_hints(cls)
    fields: dict[str, Any] = {}
    for item in dataclasses.fields(cls):
        default: Any = ... if item.default is dataclasses.MISSING else item.default
        if item.default_factory is not dataclasses.MISSING:
            default = Field(default_factory=item.default_factory)
        fields[item.name] = (hints[item.name], default)
    return create_model(cls.__name__, __config__=ConfigDict(extra="forbid", strict=True), **fields)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys, counts = np.unique([key for key, _ in pairs], return_counts=True)
    if np.any(counts > 1):
        raise ConfigError(f"key '{keys[counts > 1][0]}' appears twice in one object")
    return dict(pairs)
