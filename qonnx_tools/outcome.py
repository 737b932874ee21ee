"""What is said of a node: that it was rewritten, or why it was left as it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rewrite:
    """The graph changed at ``node``; ``what`` says how."""

    node: str
    what: str


@dataclass(frozen=True)
class Skip:
    """``node`` was left as it is, for ``reason``."""

    node: str
    reason: str


Outcome = Rewrite | Skip
