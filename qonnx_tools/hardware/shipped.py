"""The tables of costs that come with the package."""

from importlib.resources import files
from importlib.resources.abc import Traversable


def cost_tables() -> dict[str, Traversable]:
    """Return the files that ``qonnx hardware-cost`` made, by name."""
    found = (files("qonnx_tools.hardware") / "tables").iterdir()
    return {each.name: each for each in sorted(found, key=lambda file: file.name) if each.name.endswith(".toml")}
