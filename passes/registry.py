"""Find every pass by its name: the modules of this package and the passes of other installed packages."""

from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract, isclass

from qonnx_tools.discovery import concrete_classes
from qonnx_tools.errors import ConfigError
from qonnx_tools.passes.base import Pass

ENTRY_POINTS = "qonnx_tools.passes"


def registered_passes() -> dict[str, type[Pass]]:
    """Return the passes by name, sorted: those of this package, then those of the entry-point group.

    Raises:
        ConfigError: an entry point cannot be loaded, is no pass, or takes a name that is already given.
    """
    found = {each.name: each for each in concrete_classes("qonnx_tools.passes", Pass)}  # type: ignore[type-abstract]
    for point in entry_points(group=ENTRY_POINTS):
        added = _load(point)
        if found.setdefault(added.name, added) is not added:
            raise ConfigError(
                f"entry point '{point.name}' ({point.value}) of group {ENTRY_POINTS}: "
                f"there is already a pass named '{added.name}'"
            )
    return dict(sorted(found.items()))


def _load(point: EntryPoint) -> type[Pass]:
    where = f"entry point '{point.name}' ({point.value}) of group {ENTRY_POINTS}"
    try:
        loaded = point.load()
    except Exception as error:  # another package's import may raise anything
        raise ConfigError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isclass(loaded) or not issubclass(loaded, Pass) or isabstract(loaded):
        raise ConfigError(f"{where} is not a concrete subclass of qonnx_tools.passes.base.Pass")
    if not isinstance(getattr(loaded, "name", None), str):
        raise ConfigError(f"{where}: the pass has no name")
    return loaded
