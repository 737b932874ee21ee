"""Which channels of compressed maps keep their finest bands: scores, their sum, their threshold."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from qonnx_tools.errors import ConfigError
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.finetune.selection import Selection

HAAR = FeatureMapPlan("haar", levels=1)


def selection(retain, *sizes, plan=HAAR):
    """A selection of maps of ``(channels, size)``, and its members."""
    found = Selection(retain)
    return found, [found.join(plan, *each) for each in sizes]


def set_scores(member, *values):
    with torch.no_grad():
        member.scores.copy_(torch.tensor(values))


def test_scores_are_normalized_and_choose_the_share():
    chosen, (member,) = selection(0.75, (8, 70))
    set_scores(member, 0.9, -1.0, 0.2, 0.1, 3.0, 0.3, 0.0, 0.4)
    chosen.normalize()
    assert member.scores.min() == 0
    torch.testing.assert_close(member.scores.detach().sum(), torch.tensor(2.0))
    assert member.dropped == (0, 4), "the highest scores go without"
    kept = member.scores.detach().sort().values[5]
    torch.testing.assert_close(chosen.distance, (member.scores - kept).abs().sum())
    assert member.weight == 1


@pytest.mark.parametrize(("retain", "channels", "kept"), [(0.5, 5, 2), (0.3, 10, 3), (0.1, 4, 0), (0.7, 10, 7)])
def test_the_share_is_rounded_down(retain, channels, kept):
    chosen, (member,) = selection(retain, (channels, 9))
    chosen.begin()
    assert len(member.dropped) == channels - kept


def test_maps_that_choose_together_count_by_their_numbers():
    chosen, (large, small) = selection(0.5, (4, 100), (10, 10))
    set_scores(large, 0.5, 0.1, 0.8, 0.2)
    set_scores(small, *(0.9,) * 5, *(0.3,) * 5)
    chosen.normalize()
    total = 100 * large.scores.detach().sum() + 10 * small.scores.detach().sum()
    torch.testing.assert_close(total, torch.tensor(250.0))
    assert (large.dropped, small.dropped) == ((0, 2), (0, 1, 2, 3, 4)), "two large ones and five small ones are half"
    threshold = small.scores.detach()[5]
    every = torch.cat([large.scores, small.scores])
    torch.testing.assert_close(chosen.distance, (every - threshold).abs().sum())
    assert large.weight / small.weight == pytest.approx(10)
    assert 4 * large.weight + 10 * small.weight == pytest.approx(14)


def test_channels_that_the_plan_drops_have_a_head_start():
    chosen = Selection(0.5)
    one = chosen.join(FeatureMapPlan("wavelet53", levels=1, dropped=(1, 2, 3)), 4, 16)
    other = chosen.join(FeatureMapPlan("haar", levels=1, dropped=(2,)), 4, 16)
    chosen.begin()
    assert (one.dropped, other.dropped) == ((1, 2, 3), (2,))


def test_maps_without_a_wavelet_count_and_keep_all():
    chosen = Selection(0.5)
    member = chosen.join(HAAR, 6, 10)
    assert chosen.join(FeatureMapPlan("predictive"), 4, 10) is None
    chosen.begin()
    assert len(member.dropped) == 5, "half of all, of these alone"


@pytest.mark.parametrize("wavelets", [0, 2])
def test_too_many_without_bands(wavelets):
    chosen = Selection(0.5)
    for _ in range(wavelets):
        chosen.join(HAAR, 1, 10)
    chosen.join(FeatureMapPlan("predictive"), 3, 10)
    with pytest.raises(ConfigError, match=r"maps without a wavelet hold (60|100)% of all numbers"):
        chosen.begin()
