"""``qonnx search``: the cheapest plan within an accuracy budget."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from qonnx_tools.conversion import separated_by
from qonnx_tools.data import Dataset, Preprocessing
from qonnx_tools.errors import ConfigError
from qonnx_tools.preparation import Prepared, Source, look_at, open_images, prepare
from qonnx_tools.schemes.base import make_scheme
from qonnx_tools.search.acceptance import Verdict, accept
from qonnx_tools.search.damage import DamageContext, damages, measure_damage
from qonnx_tools.search.descent import descend
from qonnx_tools.search.images import Parts
from qonnx_tools.search.joint import Joint, Measured
from qonnx_tools.search.journal import Journal
from qonnx_tools.search.objective import Objective
from qonnx_tools.search.space import ACTIVATION, BIAS, WEIGHTS, Space, Widths
from qonnx_tools.search.workers import Cluster, Processes, Workers

WIDTHS: Mapping[str, tuple[int, ...]] = {
    WEIGHTS: (2, 3, 4, 5, 6, 8),
    BIAS: (6, 8, 10, 12, 16),
    ACTIVATION: (1, 2, 3, 4, 5, 6, 8),
}
DAMAGE_IMAGES = 256
DAMAGE_BATCH = 64
TASKS = 8
"""Parts that the choices are measured in by workers: each part computes the network once."""
OBJECTIVE = ("memory", "multipliers")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and (done, total) of it."""


@dataclass(frozen=True)
class SearchOptions:
    """What to search for, and how.

    Attributes:
        max_drop: the largest loss of accuracy, in 0..1, of images that only the float model has right less those that
            only the plan has right.
        cost: some of ``qonnx_tools.search.objective.COSTS``.
        widths: to choose from, by kind.
        workers: processes that measure damages; 1 is this one.
        cluster: address of a Dask scheduler that does so instead.
    """

    max_drop: float = 0.01
    cost: tuple[str, ...] = OBJECTIVE
    widths: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: WIDTHS)
    workers: int = 1
    cluster: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop < 1:
            raise ConfigError(f"max-drop is {100 * self.max_drop:g} points; it must lie in 0..100")
        if self.workers < 1:
            raise ConfigError(f"workers is {self.workers}; give 1 or more")


@dataclass(frozen=True)
class SearchResult:
    """What was found.

    Attributes:
        best: the plan that was accepted, or the one of least loss where none was.
        verdict: of the acceptance, on images that nothing was tuned on.
        front: the plans measured of which none is both worse and dearer than another, cheapest first.
        objective: their cost against that of 8 bits everywhere.
        measured: plans measured in this run.
        prepared: the model that the plans are for.
    """

    best: Measured
    verdict: Verdict
    front: tuple[Measured, ...]
    objective: Objective
    measured: int
    prepared: Prepared


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
        scheme_options: its options.
        overrides: options for single layers or tensors.
        options: of the search.
        preprocessing: what turns pixels into the model's input.
        resume: go on with what the folder has.
        progress: called often.

    Raises:
        QonnxToolsError: the input is at fault.
    """
    chosen = options or SearchOptions()
    objective = Objective(chosen.cost)
    proposer = make_scheme(scheme, {"bias_bits": 16, "fit": "outputs", **(scheme_options or {})}, overrides)
    prepared = prepare(source, proposer.batch_norm, (), partial(separated_by, proposer))
    parts = Parts.of(open_images(data, preprocessing, prepared.model))
    network, _ = look_at(prepared, parts.tuning, len(parts.tuning))
    space = Space.of(prepared.model, network, proposer, _allowed(chosen.widths, scheme))
    place = _folder(folder)
    settings = {
        "scheme": repr(proposer),
        "widths": {kind: list(widths) for kind, widths in space_widths(space).items()},
        "images": [len(part) for part in (parts.tuning, parts.comparison, parts.acceptance)],
        "layers": [choice.key for choice in space.choices],
    }
    journal = Journal(place / "journal.jsonl", settings, resume=resume)
    try:
        decisions, products = objective.program(space, _damages(space, parts, chosen, journal, progress))
        joint = Joint(prepared, space, parts, journal, place)
        found: dict[tuple[tuple[str, int], ...], Measured] = {}

        def loss(widths: Widths) -> float:
            each = joint.measure(widths)
            found[tuple(sorted(widths.items()))] = each
            if progress:
                progress(_state(found.values(), objective, chosen.max_drop), len(found), 0)
            return each.loss

        start = descend(decisions, products, loss, chosen.max_drop)
        loss(start)
        front = pareto(list(found.values()), objective)
        best, verdict = _accepted(joint, parts, front, objective, chosen.max_drop)
        return SearchResult(best, verdict, front, objective, joint.evaluations, prepared)
    finally:
        journal.close()


def pareto(measured: Sequence[Measured], objective: Objective) -> tuple[Measured, ...]:
    """Return the plans than which none is both cheaper and better, cheapest first."""
    order = sorted(measured, key=lambda each: (objective.of(each.work), each.loss))
    front: list[Measured] = []
    for each in order:
        if not front or each.loss < front[-1].loss:
            front.append(each)
    return tuple(front)


def space_widths(space: Space) -> dict[str, tuple[int, ...]]:
    """Return the widths of each kind of choice."""
    return {choice.kind: choice.widths for choice in space.choices}


def _accepted(
    joint: Joint, parts: Parts, front: Sequence[Measured], objective: Objective, most: float
) -> tuple[Measured, Verdict]:
    """Return the cheapest plan within the budget that unseen images accept; the one of least loss where none is."""
    within = [each for each in front if each.loss <= most] or [front[-1]]
    for each in sorted(within, key=lambda each: objective.of(each.work)):
        verdict = accept(joint.pairs(each.plan, parts.acceptance), len(parts.acceptance), most)
        if verdict.accepted:
            break
    return each, verdict


def _damages(
    space: Space, parts: Parts, options: SearchOptions, journal: Journal, progress: Progress | None
) -> dict[str, dict[int, float]]:
    images = tuple(batch.images for batch in parts.tuning.batches(DAMAGE_BATCH, limit=DAMAGE_IMAGES))
    missing = [choice.key for choice in space.choices if f"damage {choice.key}" not in journal]
    done = len(space.choices) - len(missing)
    for key, damage in _measured(DamageContext(space, images), missing, options):
        journal.put(f"damage {key}", {str(width): value for width, value in damage.items()})
        done += 1
        if progress:
            progress("measuring what each width does", done, len(space.choices))
    return {
        choice.key: {int(width): value for width, value in journal[f"damage {choice.key}"].items()}
        for choice in space.choices
    }


def _measured(
    context: DamageContext, keys: Sequence[str], options: SearchOptions
) -> Iterator[tuple[str, dict[int, float]]]:
    """Yield the damages of the choices of these keys, wherever they are measured."""
    if not keys:
        return
    if options.workers == 1 and not options.cluster:
        yield from damages(context, keys)
        return
    workers: Workers = Cluster(context, options.cluster) if options.cluster else Processes(context, options.workers)
    tasks = [tuple(keys[at::TASKS]) for at in range(min(TASKS, len(keys)))]
    try:
        for _, found in workers.run(measure_damage, tasks):
            yield from found.items()
    finally:
        workers.close()


def _allowed(widths: Mapping[str, tuple[int, ...]], scheme: str) -> dict[str, tuple[int, ...]]:
    """Return the widths that the formats of a scheme have."""
    narrowest = {"log": 2}.get(scheme, 1)
    return {
        kind: tuple(sorted(each for each in choices if kind != WEIGHTS or narrowest <= each <= 8))
        for kind, choices in widths.items()
    }


def _folder(path: str | os.PathLike[str]) -> Path:
    place = Path(path)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"folder '{path}' cannot be made: {error.strerror}; name another") from error
    return place


def _state(measured: Iterable[Measured], objective: Objective, most: float) -> str:
    within = [each for each in measured if each.loss <= most]
    if not within:
        return "comparing plans"
    best = min(within, key=lambda each: objective.of(each.work))
    return f"comparing plans; best: cost {objective.of(best.work):.3f}, loss {100 * best.loss:+.2f} points"
