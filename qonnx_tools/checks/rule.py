"""What a rule of the linter is, and how all of them are found."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from qonnx_tools.discovery import modules_of
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import Model

TARGETS = ("ort", "hls4ml", "finn", "qdq", "native")
"""What a graph can be checked for: plain onnxruntime, two tools, standard ONNX, codes on all wires."""


class Severity(StrEnum):
    """How bad a finding is."""

    NOTE = "note"
    """True of the graph, and harmless where the remedy is heeded."""
    WARNING = "warning"
    """The tool computes other numbers, or may."""
    ERROR = "error"
    """The tool rejects the graph, or computes something else altogether."""


Places = Iterator[tuple[str, str]]
"""Names of nodes or tensors, each with what is found there."""


@dataclass(frozen=True)
class Rule:
    """A fact about tools: ``find`` yields where a graph meets it, ``remedy`` says what to do."""

    name: str
    targets: tuple[str, ...]
    severity: Severity
    remedy: str
    find: Callable[[Model], Places]


@dataclass(frozen=True)
class Finding:
    """A rule that a graph meets at ``place``, a node or tensor."""

    rule: str
    severity: Severity
    place: str
    what: str
    remedy: str


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by name: those of the tables ``RULES`` of the modules here."""
    found: dict[str, Rule] = {}
    for module in modules_of("qonnx_tools.checks"):
        for rule in getattr(module, "RULES", ()):
            if rule.name in found or not set(rule.targets) <= set(TARGETS):
                raise ConfigError(f"rule '{rule.name}' of {module.__name__} has a name or a target that cannot be")
            found[rule.name] = rule
    return found


def check(model: Model, target: str) -> tuple[Finding, ...]:
    """Return what ``target`` will reject, misread or change in ``model``, the worst first.

    Raises ``ConfigError`` for a target that there is not.
    """
    if target not in TARGETS:
        raise ConfigError(f"target '{target}' is unknown; choose one of {', '.join(TARGETS)}")
    found = [
        Finding(rule.name, rule.severity, place, what, rule.remedy)
        for rule in rules().values()
        if target in rule.targets
        for place, what in rule.find(model)
    ]
    return tuple(sorted(found, key=lambda item: -list(Severity).index(item.severity)))
