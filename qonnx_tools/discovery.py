"""Find the classes of a kind that the modules of a package define.

Formats, passes, ops and schemes are found this way, so that adding one means adding one file.
"""

import importlib
import inspect
import pkgutil
from functools import cache
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


@cache
def modules_of(package: str) -> tuple[ModuleType, ...]:
    """Import and return the public modules directly inside ``package``, by name."""
    found = importlib.import_module(package)
    names = sorted(info.name for info in pkgutil.iter_modules(found.__path__))
    return tuple(importlib.import_module(f"{package}.{name}") for name in names if not name.startswith("_"))


def concrete_classes(package: str, base: type[T]) -> tuple[type[T], ...]:
    """Return the non-abstract subclasses of ``base`` that the modules of ``package`` define."""
    return tuple(
        value
        for module in modules_of(package)
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
        and value is not base
    )
