"""Where constants and feature maps lie: byte addresses in two memories, one that is read and one that is written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ALIGNMENT = 8
"""Bytes at whose multiples everything begins."""


@dataclass(frozen=True)
class Place:
    """Where something lies, and its bytes there."""

    address: int
    bytes: int

    @property
    def end(self) -> int:
        """The next address that something else may have."""
        return -(-(self.address + self.bytes) // ALIGNMENT) * ALIGNMENT


def in_a_row(sizes: Iterable[int]) -> list[Place]:
    """Return places for things of these bytes, one behind the other."""
    places: list[Place] = []
    for size in sizes:
        places.append(Place(places[-1].end if places else 0, size))
    return places


def shared(sizes: Mapping[str, int], steps: Sequence[tuple[Sequence[str], Sequence[str]]]) -> dict[str, Place]:
    """Return places for maps, of which those that are needed at the same time do not overlap.

    Each map gets the lowest place that is free from the step that makes it to the last one that reads it.

    Args:
        sizes: bytes of each map.
        steps: the names that a step reads and those that it makes, in order; what no step makes is there before.
    """
    made = {name: at for at, (_, outputs) in enumerate(steps) for name in outputs}
    last = {name: at for at, (inputs, _) in enumerate(steps) for name in inputs}
    lives = {name: (made.get(name, -1), last.get(name, len(steps))) for name in sizes}
    places: dict[str, Place] = {}
    for name in sorted(sizes, key=lambda each: lives[each][0]):
        begin, end = lives[name]
        busy = sorted(
            (places[other].address, places[other].end)
            for other in places
            if lives[other][0] <= end and begin <= lives[other][1]
        )
        address = 0
        for start, stop in busy:
            if address + sizes[name] <= start:
                break
            address = max(address, stop)
        places[name] = Place(address, sizes[name])
    return places
