"""The search by an integer program: damages, allocation, joint measurements."""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from qonnx_tools.divergence import most_telling
from qonnx_tools.errors import ConfigError
from qonnx_tools.search.damage import WALKS, Damage, DamageContext, damages, measure_damage
from qonnx_tools.search.descent import descend
from qonnx_tools.search.images import Images
from qonnx_tools.search.joint import Measured, digest, outputs
from qonnx_tools.search.space import ACTIVATION, Choice, Width, Widths, bits_of, options_of, plain
from qonnx_tools.search.task import Task
from qonnx_tools.search.workers import Cluster, Processes, Workers

Damages = dict[str, dict[Width, float]]
"""By the key of the choice, and the width."""
DAMAGE_IMAGES = 128
FITTED_IMAGES = 1024
"""That the weights whose damage is measured are fitted to."""
DAMAGE_BATCH = 64
FEW_IMAGES, MANY_IMAGES = 256, 2048
"""That weights are fitted to in rough and in exact measurements; in the plan at the end they are all for tuning, which
the exact ones take, too, where those are hardly more."""
USUAL_PLANS = 12
"""That are measured; from it the time left is told."""
TASKS = 8
"""Parts that the choices are measured in by workers: each part computes the network once."""


def search_by_program(task: Task) -> list[Measured]:
    """Return the plans measured on the way to the cheapest one within the budget."""
    joint, damages = task.joint, _damages(task)
    program = task.objective.program(task.space, _together(task, damages))

    def loss(images: int, widths: Widths) -> float:
        measured = joint.measure(widths, images)
        done = len(joint.measured)
        task.report(task.state(list(joint.measured.values())), done, max(USUAL_PLANS, done + 1))
        return measured.loss

    tuning = len(task.parts.tuning)
    exact = partial(loss, MANY_IMAGES if tuning > 2 * MANY_IMAGES else tuning)
    exact(descend(program, partial(loss, FEW_IMAGES), exact, task.most))
    return list(joint.measured.values())


def _together(task: Task, damages: Damages) -> Damages:
    """Return damages of which those of activations are what they do beside each other.

    Errors of weights are made good where weights are fitted, and hardly add to each other; those of activations do.
    A plan of about the damage that is looked for shows by what factor: its activations are put in together.
    """
    program = task.objective.program(task.space, damages)
    try:
        widths = program.solve(program.least_damage + task.most)
    except ConfigError:  # the limits of cost leave no plan that does so little
        return damages
    key = f"together {digest(plain(widths))}"
    chosen = [choice for choice in task.space.choices if choice.kind == ACTIVATION]
    if key not in task.journal:
        telling, share = _telling(task)
        found = share * task.joint.divergence(widths, telling)
        task.journal.put(key, {"divergence": found, "inferences": 2 * len(telling)})
    alone = sum(damages[choice.key][widths[choice.key]] for choice in chosen)
    factor = max(task.journal[key]["divergence"] / alone, 1.0) if alone else 1.0
    scaled = {choice.key: {width: factor * each for width, each in damages[choice.key].items()} for choice in chosen}
    return {**damages, **scaled}


def _damages(task: Task) -> Damages:
    """Return the damage of each width, never less for a smaller one."""
    journal, choices = task.journal, task.space.choices
    missing = [choice.key for choice in choices if f"damage {choice.key}" not in journal]
    done = len(choices) - len(missing)
    context = _context(task) if missing else None
    if context is not None and not done:
        journal.put("walk", {"inferences": WALKS * sum(map(len, context.images))})
    for key, damage in _measured(task, context, missing):
        by_width = {str(width): value for width, value in damage.widths.items()}
        journal.put(f"damage {key}", {"widths": by_width, "inferences": damage.inferences})
        done += 1
        task.report("measuring what each width does", done, len(choices))
    return {choice.key: _falling(journal[f"damage {choice.key}"]["widths"], choice) for choice in choices}


def _context(task: Task) -> DamageContext:
    """Return what damages are measured with: the most telling images for tuning, and behind them others for weights."""
    images = task.parts.tuning.images[:FITTED_IMAGES]
    first, share = _telling(task)
    rest = np.setdiff1d(np.arange(len(images)), first)
    parts = [part[at : at + DAMAGE_BATCH] for part in (first, rest) for at in range(0, len(part), DAMAGE_BATCH)]
    told = math.ceil(len(first) / DAMAGE_BATCH)
    return DamageContext(task.space, tuple(images[part] for part in parts), told, share)


def _measured(task: Task, context: DamageContext | None, keys: Sequence[str]) -> Iterator[tuple[str, Damage]]:
    """Yield the damages of the choices of these keys, wherever they are measured."""
    options = task.options
    if context is None:
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


def _telling(task: Task) -> tuple[npt.NDArray[np.intp], float]:
    """Return which images for tuning damage is measured on, and their share of those that they stand for."""
    images = Images(task.parts.tuning.images[:FITTED_IMAGES], None, "images for tuning")
    chosen = most_telling(outputs(task.prepared.model, images), DAMAGE_IMAGES)
    return chosen, len(chosen) / len(images)


def _falling(damage: dict[str, float], choice: Choice) -> dict[Width, float]:
    """Return the damages nearest to those measured that never rise with the width, of options that are alike."""
    from scipy.optimize import isotonic_regression  # noqa: PLC0415  # slow to import

    found: dict[Width, float] = {}
    for options in dict.fromkeys(map(options_of, choice.widths)):
        widths = sorted((width for width in choice.widths if options_of(width) == options), key=bits_of)
        fitted = isotonic_regression([damage[str(width)] for width in widths], increasing=False)
        found |= zip(widths, fitted.x.tolist(), strict=True)
    return found
