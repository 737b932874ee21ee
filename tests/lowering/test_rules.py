"""What holds for every lowering rule, and what the documents say of them."""

import re

import onnx
import pytest

from qonnx_tools.discovery import concrete_classes
from qonnx_tools.lowering.rule import Rule, rules
from qonnx_tools.ops import DOMAIN, op_table
from qonnx_tools.round_trips import ROUND_TRIP
from qonnx_tools.topology import CLIPPING, COMPUTING, PASSIVE

OURS = {f"{domain}::{name}" for domain, name in op_table()}
COMPRESSING = {f"{DOMAIN}::{name}" for name in ("Quantize", ROUND_TRIP, "Dequantize")}
"""What stands in the place of a feature map that is stored compressed."""
KINDS = list(concrete_classes("qonnx_tools.lowering", Rule))


def test_every_op_has_one_rule():
    ops = [op for kind in KINDS for op in kind.ops]
    assert sorted(ops) == sorted(rules())
    assert len(ops) == len(set(ops))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_rule_says_what_it_does_for_ops_that_there_are(kind):
    assert kind.__doc__
    assert all(op in OURS or onnx.defs.has(op) for op in kind.ops)


def test_what_is_quantized_and_moved_is_what_rules_are_for():
    """A rule for an op that no quantizer stands before would never be asked."""
    assert rules().keys() <= COMPUTING | CLIPPING | PASSIVE | COMPRESSING
    assert rules().keys() >= CLIPPING | PASSIVE


def test_the_documents_name_the_ops(repo_root):
    text = (repo_root / "docs/passes.md").read_text()
    (table,) = re.findall(r"\| float \| on codes \|\n\|---\|---\|\n((?:\|.*\n)+)", text)
    named = set(re.findall(r"`([A-Z]\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines())))
    assert named <= rules().keys()
    assert {"Conv", "ConvTranspose", "Sub", "Max", "BatchNormalization"} <= named
