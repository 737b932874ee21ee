"""Metadata properties of nodes: what passes note on a node, and what a file said of it."""

from qonnx_tools.graph.model import Model
from qonnx_tools.graph.surgeon import gs


def set_node_metadata(node: gs.Node, key: str, value: str) -> None:
    """Note ``value`` under ``key`` on ``node``; it goes into the file beside what was there."""
    node.__dict__.setdefault("metadata", {})[key] = value


def own_metadata(node: gs.Node) -> dict[str, str]:
    """Return what the file said of ``node``, or passes noted on it since."""
    return dict(node.__dict__.get("metadata", {}))


def node_metadata(model: Model, node: gs.Node) -> dict[str, str]:
    """Return the metadata of ``node``: those of the file that ``model`` came from, and those noted since."""
    carried = model.carried.nodes.get(node.name)
    read = {} if carried is None else {entry.key: entry.value for entry in carried.metadata_props}
    return read | own_metadata(node)
