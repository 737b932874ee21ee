"""Run passes one after the other, with cleaning up and verification after each."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from qonnx_tools.errors import ModelError, PassError, QonnxToolsError
from qonnx_tools.graph import Model, Signature, clean_up, mark_outputs, update_shapes, verify
from qonnx_tools.passes.base import Outcome, Pass, Rewrite
from qonnx_tools.passes.constants_to_initializers import ConstantsToInitializers
from qonnx_tools.passes.div_to_mul import DivToMul
from qonnx_tools.passes.explicit_attributes import ExplicitAttributes
from qonnx_tools.passes.fold_bias_add import FoldBiasAdd
from qonnx_tools.passes.fold_constants import FoldConstants
from qonnx_tools.passes.fold_padding import FoldPadding
from qonnx_tools.passes.matmul_to_gemm import MatmulToGemm
from qonnx_tools.passes.remove_identity import RemoveIdentity
from qonnx_tools.passes.simplify_gemm import SimplifyGemm

CANONICAL: tuple[Pass, ...] = (
    ConstantsToInitializers(),
    RemoveIdentity(),
    FoldConstants(),
    ExplicitAttributes(),
    FoldPadding(),
    FoldBiasAdd(),
    MatmulToGemm(),
    SimplifyGemm(),
    DivToMul(),
)
"""The passes that bring any model into the form that the others expect, in order."""


@dataclass(frozen=True)
class PassReport:
    """What one pass did and declined, and how long it took."""

    name: str
    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, Rewrite))


def run_passes(model: Model, passes: Sequence[Pass]) -> list[PassReport]:
    """Run ``passes`` on ``model`` in order; after each, remove dead nodes, sort, infer shapes and verify.

    Raises:
        PassError: a pass failed or left a graph that does not verify. The message says which passes ran before.
    """
    reports: list[PassReport] = []
    for each in passes:
        reports.append(_run(model, each, [report.name for report in reports]))
    return reports


def canonicalize(model: Model) -> list[PassReport]:
    """Bring ``model`` into canonical form: see ``CANONICAL``."""
    return run_passes(model, CANONICAL)


def _run(model: Model, each: Pass, ran: list[str]) -> PassReport:
    before = Signature.of(model)
    mark_outputs(model.graph)
    start = time.perf_counter()
    try:
        outcomes = tuple(each.run(model.graph))
        clean_up(model.graph)
        verify(model, before=before)
        if any(isinstance(outcome, Rewrite) for outcome in outcomes):
            update_shapes(model)
    except ModelError as error:
        raise PassError(f"after pass '{each.name}' the graph is not valid: {error} ({_history(ran)})") from error
    except QonnxToolsError:
        raise
    except Exception as error:
        raise PassError(f"pass '{each.name}' failed: {type(error).__name__}: {error} ({_history(ran)})") from error
    return PassReport(each.name, outcomes, time.perf_counter() - start)


def _history(ran: list[str]) -> str:
    return f"before it ran: {', '.join(ran)}" if ran else "no pass ran before it"
