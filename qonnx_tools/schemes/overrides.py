"""Options for single layers and tensors."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from typing import Any, get_type_hints

from qonnx_tools.errors import ConfigError

FOR_ALL = ("name", "overrides", "batch_norm", "residual_add")
"""Options of a scheme that concern the whole network."""


@dataclass(frozen=True)
class Override:
    """Options for the layers and tensors whose name is ``pattern`` or matches it as a shell glob."""

    pattern: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Read ``PATTERN:option=value[,option=value]``."""
        pattern, colon, settings = text.rpartition(":")
        pairs = [setting.partition("=") for setting in settings.split(",")]
        if not (pattern and colon and all(name and equals and value for name, equals, value in pairs)):
            raise ConfigError(f"override '{text}' is not PATTERN:option=value[,option=value]")
        return cls(pattern, {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs})

    def matches(self, names: Collection[str]) -> bool:
        """Whether one of ``names`` is the pattern or matches it."""
        if self.pattern in names:
            return True
        return self._is_glob and any(fnmatchcase(name, self.pattern) for name in names)

    @cached_property
    def _is_glob(self) -> bool:
        return any(sign in self.pattern for sign in "*?[")


def options_for(scheme: Any, overrides: Iterable[Override], names: Iterable[str]) -> dict[str, Any]:
    """Return the options that ``overrides`` give to ``scheme`` for what has these names; later overrides win."""
    called = tuple(names)
    options: dict[str, Any] = {}
    for override in overrides:
        if override.matches(called):
            options |= {name: _typed(scheme, name, value) for name, value in override.options.items()}
    return options


def check_overrides(overrides: Iterable[Override], names: Iterable[str]) -> None:
    """Raise ``ConfigError`` for an override that matches none of ``names``."""
    known = set(names)
    for override in overrides:
        if not override.matches(known):
            raise ConfigError(f"override '{override.pattern}' matches no layer and no tensor of the model")


@cache
def _hints(scheme: type) -> dict[str, Any]:
    return get_type_hints(scheme)


def _typed(scheme: Any, name: str, value: str) -> Any:
    hints = _hints(scheme.__class__)
    if name not in hints or name in FOR_ALL:
        raise ConfigError(f"option {name.replace('_', '-')} cannot be set for single layers of scheme {scheme.name}")
    if hints[name] is not int:
        return value
    try:
        return int(value)
    except ValueError:
        raise ConfigError(f"{name} is '{value}'; it must be a whole number") from None
