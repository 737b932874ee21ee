import itertools

import numpy as np
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.reconstruction.solver import Grid, Problem, choose, descend
from qonnx_tools.schemes.family import Family

RANDOM = np.random.default_rng(5)


def fixed(bits, fracs, channels):
    parameters = np.repeat(np.array(fracs)[:, None], channels, axis=1)
    return Family(parameters, lambda frac: FixedPoint(bits, tuple(frac.tolist()) if frac.ndim else int(frac)))


def logs(bits, scales, channels, steps=1):
    parameters = np.repeat(np.array(scales, np.float32)[:, None], channels, axis=1)
    return Family(parameters, lambda scale: Log(bits, tuple(scale.tolist()) if scale.ndim else float(scale), steps))


def problem(groups=1, outputs=3, inputs=6, positions=50):
    """Correlated inputs, targets of random weights; also the weights."""
    mix = RANDOM.normal(size=(groups, inputs, inputs))
    x = mix @ RANDOM.normal(size=(groups, inputs, positions))
    weights = RANDOM.normal(size=(groups, outputs, inputs))
    gram = x @ np.swapaxes(x, 1, 2) / positions
    return Problem.damped(gram, weights @ gram, weights), weights


@pytest.mark.parametrize("family", [fixed(4, [1, 2, 3], 3), logs(4, [1.0, 1.5, 3.0], 3), logs(4, [1.0, 2.0], 3, 2)])
def test_a_family_has_the_levels_of_its_formats(family):
    form = family.choice(np.zeros(3, np.intp))
    low, high = form.code_range
    codes = np.broadcast_to(np.arange(low, high + 1), (3, high + 1 - low))
    np.testing.assert_allclose(family.levels() * family.scales()[0][:, None], form.decode(codes, 0), rtol=1e-7)
    assert family.shared(1).channels is None


def test_the_optimum_off_the_grid_is_what_was_trained():
    given, weights = problem(groups=2)
    np.testing.assert_allclose(given.optimum(), weights, atol=1e-8)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("bits", [2, 3, 4])
def test_it_beats_rounding_to_nearest(groups, bits):
    given, weights = problem(groups=groups, outputs=2, inputs=9)
    channels = 2 * groups
    family = fixed(bits, [bits - 4, bits - 3, bits - 2, bits - 1], channels)
    best, found = choose(given, family)
    form = family.choice(best)
    rows = found.reshape(channels, -1)
    np.testing.assert_array_equal(form.quantize(rows, None, 0), rows)
    nearest = np.stack(
        [family.choice(np.full(channels, at)).quantize(weights.reshape(channels, -1), None, 0) for at in range(4)]
    )
    errors = [given.error(each.reshape(weights.shape)).reshape(-1) for each in nearest]
    assert np.all(given.error(found).reshape(-1) <= np.min(errors, axis=0) + 1e-9)
    assert given.error(found).sum() < 0.999 * np.min(errors, axis=0).sum() or bits > 3


def test_it_is_near_the_best_of_all_choices():
    excess = []
    for _ in range(10):
        given, _ = problem(outputs=1, inputs=5)
        family = logs(3, [2.0], 1)
        levels = family.levels() * 2.0
        every = np.array(list(itertools.product(levels, repeat=5)))
        least = min(given.error(part[None]).min() for part in np.array_split(every, 20))
        _, found = choose(given, family)
        excess.append(float(given.error(found)[0, 0] - least))
    assert min(excess) > -1e-9
    assert np.median(excess) < 0.2


def test_descent_never_makes_the_error_larger_and_ends_where_no_single_move_helps():
    given, weights = problem(groups=2, outputs=3, inputs=150)
    grid = Grid(np.linspace(-1, 1, 15), np.full((2, 3), 2.0))
    start = grid.levels[RANDOM.integers(0, 15, weights.shape)] * 2.0
    errors = [given.error(start), *(given.error(descend(given, grid, start, sweeps)) for sweeps in (1, 2, 100))]
    assert all(np.all(after <= before + 1e-9) for before, after in itertools.pairwise(errors))
    end = descend(given, grid, start, 100)
    for column in (0, 77, 149):
        for level in grid.levels:
            moved = end.copy()
            moved[..., column] = 2.0 * level
            assert np.all(given.error(moved) >= given.error(end) - 1e-9)


def test_one_candidate_for_all_channels():
    given, _ = problem(outputs=3)
    best, _ = choose(given, fixed(3, [0, 1, 2], 3), shared=True)
    assert len(set(best.tolist())) == 1


def test_inputs_that_are_always_zero_leave_the_weights_as_they_are():
    weights = np.array([[[0.5, -0.25]]])
    given = Problem.damped(np.zeros((1, 2, 2)), np.zeros((1, 1, 2)), weights)
    _, found = choose(given, fixed(8, [6], 1))
    np.testing.assert_array_equal(found, weights)
