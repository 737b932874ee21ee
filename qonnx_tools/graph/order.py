"""Topological order and dead nodes, without recursion, in O(nodes + edges)."""

import heapq

from qonnx_tools.errors import ModelError
from qonnx_tools.graph.surgeon import gs


def topological_order(graph: gs.Graph) -> list[gs.Node]:
    """Return the nodes so that each follows its producers, otherwise as close to the given order as that allows.

    A list that is already in order comes back as it is.

    Raises:
        ModelError: nodes depend on each other in a cycle, or on a node that is not in the graph.
    """
    position = {id(node): index for index, node in enumerate(graph.nodes)}
    waiting = [0] * len(graph.nodes)
    readers: list[list[int]] = [[] for _ in graph.nodes]
    for index, node in enumerate(graph.nodes):
        for tensor in node.inputs:
            for producer in tensor.inputs:
                if id(producer) not in position:
                    raise ModelError(
                        f"node '{node.name}' reads tensor '{tensor.name}', whose producer '{producer.name}' "
                        "is not in the graph"
                    )
                readers[position[id(producer)]].append(index)
                waiting[index] += 1
    ready = [index for index, count in enumerate(waiting) if not count]
    ordered: list[gs.Node] = []
    while ready:
        index = heapq.heappop(ready)
        ordered.append(graph.nodes[index])
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(ordered) < len(graph.nodes):
        stuck = [node.name for node, count in zip(graph.nodes, waiting, strict=True) if count]
        raise ModelError(f"the graph has a cycle through or before node '{stuck[0]}' ({len(stuck)} nodes wait)")
    return ordered


def clean_up(graph: gs.Graph) -> int:
    """Drop the nodes that no graph output depends on, sort the rest, and return how many were dropped."""
    alive: set[int] = set()
    stack = [producer for tensor in graph.outputs for producer in tensor.inputs]
    while stack:
        node = stack.pop()
        if id(node) not in alive:
            alive.add(id(node))
            stack.extend(producer for tensor in node.inputs for producer in tensor.inputs)
    dead = [node for node in graph.nodes if id(node) not in alive]
    for node in dead:
        node.inputs.clear()
        node.outputs.clear()
    graph.nodes = [node for node in graph.nodes if id(node) in alive]
    graph.nodes = topological_order(graph)
    return len(dead)
