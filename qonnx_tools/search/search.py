"""``qonnx search``: the cheapest plan within an accuracy budget."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from qonnx_tools.accelerator import LOG_WEIGHTS, load_accelerator
from qonnx_tools.conversion import separated_by
from qonnx_tools.data import Dataset, Preprocessing
from qonnx_tools.errors import ConfigError
from qonnx_tools.preparation import Prepared, Source, look_at, open_images, prepare
from qonnx_tools.schemes.base import make_scheme
from qonnx_tools.search.acceptance import Verdict, accept
from qonnx_tools.search.images import Parts
from qonnx_tools.search.joint import Measured
from qonnx_tools.search.journal import Journal
from qonnx_tools.search.objective import ACCELERATOR, Objective
from qonnx_tools.search.one_by_one import search_one_by_one
from qonnx_tools.search.options import SEQUENTIAL, WIDTHS, SearchOptions
from qonnx_tools.search.programmed import search_by_program
from qonnx_tools.search.space import WEIGHTS, Space
from qonnx_tools.search.stored_maps import stored_maps, stored_sizes
from qonnx_tools.search.task import Progress, Task, inferences, pareto
from qonnx_tools.workload import pruned

CALIBRATION_IMAGES = 1024
ACCELERATOR_FILE = ".toml"
"""What the name of a cost ends with that is the file of an accelerator."""


@dataclass(frozen=True)
class SearchResult:
    """What was found.

    Attributes:
        best: the plan that was accepted, or the one of least loss where none was.
        verdict: of the acceptance, on images that nothing was tuned on.
        front: the plans measured of which none is both worse and dearer than another, cheapest first.
        objective: their cost against that of 8 bits everywhere.
        measured: plans measured in this run.
        inferences: images that went through the network until the plan was found, those of runs before this one
            included; parts of it count by their multiplications.
        prepared: the model that the plans are for.
    """

    best: Measured
    verdict: Verdict
    front: tuple[Measured, ...]
    objective: Objective
    measured: int
    inferences: float
    prepared: Prepared

    @property
    def pruned(self) -> tuple[str, ...]:
        """The tensors that the best plan makes zero."""
        return pruned(self.prepared.model, self.best.plan)


def search(
    source: Source,
    data: Dataset | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    scheme: str = "fixed",
    scheme_options: Mapping[str, Any] | None = None,
    overrides: Iterable[str] = (),
    options: SearchOptions | None = None,
    preprocessing: Preprocessing | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> SearchResult:
    """Return the cheapest plan of ``scheme`` for ``source`` whose accuracy on unseen images stays within the budget.

    Args:
        source: a float classifier.
        data: images; the first third or so tunes, the next compares plans, the last accepts one. With labels a right
            answer is the label, without the float model's.
        folder: of the journal and the plans; it is made.
        scheme: that proposes formats of given widths.
        scheme_options: its options; where the scheme has alternatives to one that is not given, the search chooses.
        overrides: options for single layers or tensors.
        options: of the search.
        preprocessing: what turns pixels into the model's input.
        resume: go on with what the folder has.
        progress: called often.

    Raises:
        QonnxToolsError: the input is at fault.
    """
    chosen, report = options or SearchOptions(), progress or (lambda *_: None)
    objective = _objective(chosen)
    known = {"bias_bits": 16, "fit": "outputs", "residual_add": "merge"} | dict(scheme_options or {})
    if objective.accelerator is not None and objective.accelerator.accumulator_bits:
        known.setdefault("accumulator_bits", objective.accelerator.accumulator_bits)
    proposer = make_scheme(scheme, known, overrides)
    separate = partial(separated_by, proposer)
    prepared = prepare(source, proposer.batch_norm, (), separate, merge_sums=proposer.merges_sums)
    parts = Parts.of(open_images(data, preprocessing, prepared.model))
    network, _ = look_at(
        prepared, parts.tuning, CALIBRATION_IMAGES, None, lambda done, total: report("calibrating", done, total)
    )
    allowed = {**WIDTHS, **chosen.widths, **(objective.accelerator.widths if objective.accelerator else {})}
    space = Space.of(prepared.model, network, proposer, _of_formats(allowed, scheme))
    if chosen.method != SEQUENTIAL:
        space = space.with_alternatives([name for name, value in known.items() if value is not None])
    if objective.stores_maps:
        space = replace(space, stored=stored_maps(space))
        objective = replace(objective, stored=stored_sizes(space, space.stored, parts.tuning))
    place = _folder(folder)
    settings = {
        "scheme": repr(proposer),
        "method": chosen.method,
        "widths": {choice.key: [str(width) for width in choice.widths] for choice in space.choices},
        "images": [len(part) for part in (parts.tuning, parts.comparison, parts.acceptance)],
        "layers": [choice.key for choice in space.choices],
    }
    journal = Journal(place / "journal.jsonl", settings, resume=resume)
    task = Task(prepared, space, parts, objective, chosen, journal, place, report)
    try:
        measured = search_one_by_one(task) if chosen.method == SEQUENTIAL else search_by_program(task)
        best, verdict = _accepted(task, pareto(measured, objective))
        front = pareto([*measured, best], objective)
        return SearchResult(best, verdict, front, objective, task.joint.evaluations, inferences(journal), prepared)
    finally:
        journal.close()


def _objective(options: SearchOptions) -> Objective:
    files = [name for name in options.cost if name.endswith(ACCELERATOR_FILE)]
    if len(files) > 1:
        raise ConfigError(f"costs '{files[0]}' and '{files[1]}' are two accelerators; give one")
    names = tuple(ACCELERATOR if name in files else name for name in options.cost)
    return Objective(names, options.limits, load_accelerator(files[0]) if files else None)


def _accepted(task: Task, front: Sequence[Measured]) -> tuple[Measured, Verdict]:
    """Return the cheapest plan within the budget that unseen images accept; the one of least loss where none is.

    Where weights are fitted, they are so anew, to all images for tuning.
    """
    joint = task.joint
    most = task.most_of(joint.float_accuracy(task.parts.acceptance))
    within = [each for each in front if each.loss <= task.most and task.fits(each)] or [front[-1]]
    for found in sorted(within, key=lambda each: task.objective.of(each.work)):
        each = joint.measure(found.widths, len(task.parts.tuning)) if found.plan.fitted else found
        task.report("accepting a plan", 0, 0)
        verdict = _verdict(task, each, most)
        if verdict.accepted:
            break
    return each, verdict


def _verdict(task: Task, measured: Measured, most: float) -> Verdict:
    """Return whether unseen images accept a plan, from the journal if it is there."""
    images, key = task.parts.acceptance, f"accepted {measured.file} {most!r}"
    if key not in task.journal:
        found = accept(task.joint.pairs(measured.plan, images), len(images), most)
        task.journal.put(key, {"verdict": asdict(found), "inferences": found.images})
    return Verdict(**task.journal[key]["verdict"])


def _of_formats(widths: Mapping[str, tuple[int, ...]], scheme: str) -> dict[str, tuple[int, ...]]:
    """Return the widths that the formats of a scheme have."""
    narrowest = {"log": 2}.get(scheme, 1)
    if scheme == "log" and LOG_WEIGHTS in widths:
        widths = {**widths, WEIGHTS: widths[LOG_WEIGHTS]}
    widths = {kind: choices for kind, choices in widths.items() if kind != LOG_WEIGHTS}
    allowed = {
        kind: tuple(sorted(each for each in choices if kind != WEIGHTS or narrowest <= each <= 8))
        for kind, choices in widths.items()
    }
    if not allowed[WEIGHTS]:
        raise ConfigError(f"no width of weights that scheme {scheme} has: give some of {narrowest} to 8 bits")
    return allowed


def _folder(path: str | os.PathLike[str]) -> Path:
    place = Path(path)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"folder '{path}' cannot be made: {error.strerror}; name another") from error
    return place
