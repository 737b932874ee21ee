"""What a tool is that reads QONNX graphs."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cache
from typing import ClassVar

from qonnx_tools.discovery import concrete_classes
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import gs, nodes
from qonnx_tools.outcome import Skip
from qonnx_tools.passes.base import Pass


class Tool(ABC):
    """A tool: which passes make a graph that it takes, and what it would not compute as the plan says."""

    name: ClassVar[str]
    title: ClassVar[str]
    """How the tool writes its name."""

    @abstractmethod
    def before(self) -> list[Pass]:
        """Return the passes that run on the graph of quantizers."""

    @abstractmethod
    def modes(self) -> Mapping[str, str]:
        """Return the rounding mode of a ``Quant`` by the rule that the tool carries out under that name."""

    @abstractmethod
    def after(self) -> list[Pass]:
        """Return the passes that run on the graph of ``Quant`` nodes."""

    @abstractmethod
    def reason(self, node: gs.Node) -> str | None:
        """Return why the tool rejects a node of a finished graph, or computes it otherwise; None where it does not."""

    def inexact(self, graph: gs.Graph) -> Iterator[Skip]:
        """Yield the nodes of a finished graph that the tool rejects, or computes otherwise, with reasons."""
        for node in nodes(graph):
            reason = self.reason(node)
            if reason:
                yield Skip(node.name, reason)


@cache
def tools() -> Mapping[str, Tool]:
    """Every tool by name."""
    return {each.name: each() for each in concrete_classes("qonnx_tools.tools", Tool)}  # type: ignore[type-abstract]


def tool_named(name: str) -> Tool:
    """Return a tool; ``ConfigError`` for one that there is not."""
    if name not in tools():
        raise ConfigError(f"for: tool '{name}' is unknown; choose one of {', '.join(sorted(tools()))}")
    return tools()[name]
