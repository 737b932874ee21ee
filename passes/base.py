"""What every graph pass is."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from qonnx_tools.graph import gs
from qonnx_tools.outcome import Outcome, Rewrite, Skip

__all__ = ["Outcome", "Pass", "Rewrite", "Skip"]


class Pass(ABC):
    """One rewrite of the graph: a frozen dataclass whose fields are its options.

    ``run`` edits the graph while it yields what it did and what it declined. It does not call other passes, remove
    dead nodes, sort, infer shapes or print: the pipeline does.
    """

    name: ClassVar[str]
    """The name on the command line: the module's name with dashes."""
    after: ClassVar[str] = ""
    """Of a pass that lowers to a target: the name of the one whose result it reads; "" is a graph of quantizers."""

    @abstractmethod
    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        """Rewrite ``graph`` in place and yield an outcome for every node concerned."""
