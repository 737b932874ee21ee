"""The errors that qonnx-tools raises on purpose.

Every message names the node, tensor, file or option concerned and says what to do.
The command line prints the message as one line and exits with status 1.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qonnx_tools.outcome import Skip


class QonnxToolsError(Exception):
    """Root of every error raised on purpose by this package."""


class ModelError(QonnxToolsError):
    """A model file cannot be read, is malformed, or cannot be written."""


class UnsupportedError(QonnxToolsError):
    """A node is well formed but outside what the requested operation covers."""

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(f"node '{node}': {reason}")
        self.node = node
        self.reason = reason


class InexactError(QonnxToolsError):
    """A target cannot carry a plan exactly: ``items`` are the nodes or tensors concerned, with reasons."""

    def __init__(self, target: str, items: "tuple[Skip, ...]") -> None:
        reasons: dict[str, list[str]] = {}
        for item in items:
            reasons.setdefault(item.reason, []).append(f"'{item.node}'")
        listed = "; ".join(f"{', '.join(nodes)}: {reason}" for reason, nodes in reasons.items())
        super().__init__(
            f"{target} cannot carry the plan exactly ({len(items)} in all): {listed}; --allow-inexact writes the file "
            "and says by how much it differs"
        )
        self.items = items


class ConfigError(QonnxToolsError):
    """An option, a plan or a format parameter is out of range or unknown."""


class DataError(QonnxToolsError):
    """Calibration or evaluation data are missing, malformed or do not fit the model."""


class PassError(QonnxToolsError):
    """A pass left the graph in a state that does not verify: a defect, not bad input."""
