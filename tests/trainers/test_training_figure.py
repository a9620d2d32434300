"""The training figure of a run, wherever in an epoch it ended."""

import json

import pytest

from trainers import many_runs
from trainers.run_directory import RunDirectory
from trainers.training_figure import steps_of_rows, training_bits_per_dim, training_curve


def rows(*epochs):
    """As of metrics.csv, of (step, bits/dim)."""
    return [{"step": str(step), "bits_per_dim": str(bits)} for step, bits in epochs]


def test_a_last_epoch_of_one_batch_hardly_counts():
    curve = rows((100, 5.0), (200, 4.5), (201, 9.5))
    assert steps_of_rows(curve) == [100, 100, 1]
    assert training_bits_per_dim(curve) == pytest.approx(4.55)
    assert training_curve(curve) == pytest.approx([5.0, 4.5, 4.55])


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        ([(100, 5.0), (200, 4.5)], 4.5),  # ends with its epoch: the last row alone
        ([(100, 5.0), (200, 4.6), (260, 4.5)], 4.54),  # 60 of the last, 40 of the one before
        ([(100, 5.0), (140, 4.0)], 4.6),
        ([(7, 5.0)], 5.0),  # shorter than an epoch
    ],
)
def test_it_is_the_mean_over_the_last_epochs_worth_of_steps(epochs, expected):
    assert training_bits_per_dim(rows(*epochs)) == pytest.approx(expected)


def test_runs_that_end_one_batch_apart_have_nearly_one_figure():
    whole = rows((100, 5.0), (200, 4.5))
    assert training_bits_per_dim(rows((100, 5.0), (200, 4.5), (201, 4.8))) == pytest.approx(
        training_bits_per_dim(whole), abs=0.01
    )
    assert training_bits_per_dim(rows((100, 5.0), (199, 4.5))) == pytest.approx(
        training_bits_per_dim(whole), abs=0.01
    )


def test_tables_of_runs_have_it(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.result.write_text(json.dumps({"bits_per_dim": 4.6, "steps": 201, "minutes": 5.0}))
    directory.config.write_text(json.dumps({"parameters": 7, "settings": {"seed": 3}}))
    directory.metrics.write_text(
        "epoch,step,minutes,bits_per_dim,images_per_second\n"
        "1,100,2.4,5.0,80\n2,200,4.9,4.5,81\n3,201,5.0,9.5,82\n"
    )
    row = many_runs.figures(directory)
    assert (row["train_bits_per_dim"], row["images_per_second"]) == ("4.5500", "82")
