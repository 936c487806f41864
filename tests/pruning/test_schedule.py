import pytest
from hypothesis import given
from hypothesis import strategies as st

from prune_utils.pruning.schedule import Schedule

PAPER = Schedule(target_sparsity=0.6, end_step=10_000, frequency=10)


def test_before_during_and_after_the_ramp():
    late = Schedule(target_sparsity=0.8, initial_sparsity=0.2, begin_step=100, end_step=300, frequency=50)
    assert [late.sparsity(t) for t in (0, 99)] == [0.2, 0.2]
    # s_t = s_f + (s_i - s_f)(1 - (t - t0) / (t1 - t0))^3, by hand at a half and at three quarters of the way
    assert late.sparsity(100) == pytest.approx(0.2)
    assert late.sparsity(200) == pytest.approx(0.8 - 0.6 / 8)
    assert late.sparsity(250) == pytest.approx(0.8 - 0.6 / 64)
    assert [late.sparsity(t) for t in (300, 301, 10**9)] == [0.8] * 3


def test_the_mask_is_renewed_every_few_steps_and_at_the_end():
    plan = Schedule(target_sparsity=0.5, begin_step=3, end_step=20, frequency=5)
    assert [t for t in range(40) if plan.renews(t)] == [3, 8, 13, 18, 20]
    assert [t for t in range(9_975, 10_050) if PAPER.renews(t)] == [9_980, 9_990, 10_000]


def test_one_shot_is_a_ramp_of_no_length():
    plan = Schedule(target_sparsity=0.5, begin_step=1, end_step=1)
    assert [plan.sparsity(t) for t in (0, 1, 2)] == [0.0, 0.5, 0.5]
    assert [t for t in range(10) if plan.renews(t)] == [1]


@given(st.integers(0, 12_000), st.floats(0, 1))
def test_it_never_falls_and_never_overshoots(step, target):
    plan = Schedule(target_sparsity=target, end_step=10_000)
    assert 0 <= plan.sparsity(step) <= plan.sparsity(step + 1) <= target


@pytest.mark.parametrize(
    "wrong", [{"target_sparsity": 1.2}, {"initial_sparsity": -1.0}, {"begin_step": 30}, {"frequency": 0}]
)
def test_an_invalid_schedule_is_refused(wrong):
    with pytest.raises(ValueError, match="must be between 0 and 1, got|must have 0 <= begin_step <= end_step and"):
        Schedule(**{"target_sparsity": 0.5, "end_step": 20} | wrong)
