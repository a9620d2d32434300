import math

import pytest

from trainers.schedule import Schedule


def test_warm_up_is_linear_and_starts_above_zero():
    schedule = Schedule(peak=1.0, warmup_steps=4, total_steps=10**9)
    rates = [schedule.learning_rate(step, 0.0) for step in range(6)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0])


def test_cosine_over_steps():
    schedule = Schedule(peak=2.0, total_steps=100)
    assert schedule.learning_rate(0, 0.0) == 2.0
    assert schedule.learning_rate(50, 0.0) == pytest.approx(1.0)
    assert schedule.learning_rate(99, 0.0) < 1e-3
    assert not schedule.finished(99, 0.0)
    assert schedule.finished(100, 0.0)


def test_cosine_over_minutes_does_not_depend_on_speed():
    schedule = Schedule(peak=2.0, max_minutes=10.0)
    for step in (1, 1000):
        assert schedule.learning_rate(step, 5.0) == pytest.approx(1.0)
        assert schedule.learning_rate(step, 10.0) == pytest.approx(0.0)
        assert not schedule.finished(step, 9.99)
        assert schedule.finished(step, 10.0)


def test_whichever_end_is_nearer_counts():
    schedule = Schedule(peak=1.0, total_steps=100, max_minutes=10.0)
    assert schedule.progress(20, 5.0) == 0.5
    assert schedule.progress(80, 5.0) == 0.8
    assert schedule.progress(10**6, 5.0) == 1.0


def test_no_warm_up_and_overrun_stay_finite():
    schedule = Schedule(peak=1.0, max_minutes=1.0)
    assert schedule.learning_rate(0, 0.0) == 1.0
    assert math.isclose(schedule.learning_rate(5, 100.0), 0.0, abs_tol=1e-12)
