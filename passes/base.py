"""What every graph pass is."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from qonnx_tools.graph import gs


@dataclass(frozen=True)
class Rewrite:
    """A pass changed the graph at ``node``; ``what`` says how."""

    node: str
    what: str


@dataclass(frozen=True)
class Skip:
    """A pass left ``node`` as it is, for ``reason``."""

    node: str
    reason: str


Outcome = Rewrite | Skip


class Pass(ABC):
    """One rewrite of the graph: a frozen dataclass whose fields are its options.

    ``run`` edits the graph while it yields what it did and what it declined. It does not call other passes, remove
    dead nodes, sort, infer shapes or print: the pipeline does.
    """

    name: ClassVar[str]
    """The name on the command line: the module's name with dashes."""

    @abstractmethod
    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        """Rewrite ``graph`` in place and yield an outcome for every node concerned."""
