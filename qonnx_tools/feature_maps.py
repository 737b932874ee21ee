"""Which activations of a graph are kept at the same time."""

from collections.abc import Callable, Iterator
from typing import Any

from qonnx_tools.graph import gs, is_constant, nodes, producer

Named = Callable[[Any], str | None]
"""The name of the activation that a tensor holds; None where it is only on its way to becoming one."""


def kept_maps(graph: gs.Graph, named: Named) -> tuple[frozenset[str], ...]:
    """Return the activations that are kept while each of them is made, and at the end; see :func:`kept`.

    What lies between two activations is computed on the way, and never kept whole.

    Args:
        graph: sorted, of a quantized network.
        named: names the activation that a tensor holds.
    """
    made: dict[str, set[str]] = {}
    for node in nodes(graph):
        for tensor in node.outputs:
            name = named(tensor)
            if name is not None and name not in made:
                made[name] = {other for item in node.inputs for other in _behind(item, named) if other != name}
    results = {name for tensor in graph.outputs for name in _behind(tensor, named)}
    return kept([*((reads, {name}) for name, reads in made.items()), (results, set())])


def kept(steps: list[tuple[set[str], set[str]]]) -> tuple[frozenset[str], ...]:
    """Return what is kept during each step: what it reads or makes, and what was made before and is read later.

    Args:
        steps: the names that each step reads, and those that it makes, in order.
    """
    later: set[str] = set()
    found = []
    for reads, makes in reversed(steps):
        found.append(frozenset(later | reads | makes))
        later = (later - makes) | reads
    return tuple(reversed(found))


def _behind(tensor: Any, named: Named) -> Iterator[str]:
    """Yield the activations that ``tensor`` is computed from."""
    pending, seen = [tensor], {id(tensor)}
    while pending:
        current = pending.pop()
        name = named(current)
        if name is not None:
            yield name
            continue
        maker = producer(current)
        for item in [] if maker is None else maker.inputs:
            if id(item) not in seen and not is_constant(item):
                seen.add(id(item))
                pending.append(item)
