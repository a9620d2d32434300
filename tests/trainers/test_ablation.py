import csv
import dataclasses
import functools
import io
import json
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.files import write_csv
from datasets.flags import UserError
from tests.checkout import ROOT
from tests.trainers.ablation_runs import rows_of
from trainers import ablation, ablation_rows, resumable_runs
from trainers.ablation import AblationSettings
from trainers.curves import late, mean_curve, save_curves
from trainers.resumable_runs import Cell
from trainers.run_directory import RunDirectory

COMMON = (
    "--image_size=16 --limit=14 --validation_limit=14 --size=tiny --levels=1 --depth=1 --width=4 "
    "--batch_size=8 --steps_per_epoch=1 --samples_per_label=1"
)


def settings(tmp_path, **changes):
    values = {
        "table": "3",
        "budget": "steps",
        "amount": 2.0,
        "seeds": 2,
        "methods": "glow_svd,bplf_3x3",
        "common": COMMON,
        "out": str(tmp_path / "out"),
    }
    return AblationSettings(**{**values, **changes})


def read(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_an_ablation_stops_goes_on_and_reports(tmp_path, monkeypatch, capsys):
    one = settings(tmp_path, seeds=1, methods="glow_svd")
    assert ablation.main(dataclasses.replace(one, plan_only=True)) == 0
    assert capsys.readouterr().out.count("to do ") == 2
    assert ablation.main(one) == 0
    rows = read(tmp_path / "out" / "results.csv")
    assert [row["method"] for row in rows] == ["glow", "glow_svd"]
    for row in rows:
        assert float(row["bits_per_dim"]) > 0
        assert int(row["steps"]) == 2
        assert int(row["parameters"]) > 100
        assert not row["failed"]
        # Of 16 x 16 grey images, by the paper's equation.
        implied = (np.log(128) - float(row["nats"]) / 256) / np.log(2)
        assert implied == pytest.approx(float(row["bits_per_dim"]), abs=1e-3)
        truncated = row["method"].endswith("svd")
        assert bool(row["bits_per_dim_truncated"]) == truncated
        assert row["svd_rank"] == ("8" if truncated else "")
        assert row["rollbacks"] == "0"
        assert int(row["cores"]) >= 1
        points = ablation_rows.curve(row)
        assert [point.step for point in points] == [1, 2]
        assert points[-1].bits_per_dim == pytest.approx(float(row["bits_per_dim"]), abs=0.2)

    # A run that was broken off goes on, one that is done stays, and a method more is made.
    (tmp_path / "out/drawn_faces/steps_2/glow/seed_0/result.json").unlink()
    write_csv(tmp_path / "out" / "results.csv", ablation_rows.COLUMNS, rows[1:])
    started = []
    start = ablation.many_runs.start_fit

    def counting(arguments, directory, *rest, **options):
        started.append(directory.parent.name)
        assert "--resume" in arguments
        return start(arguments, directory, *rest, **options)

    monkeypatch.setattr(ablation.many_runs, "start_fit", counting)
    capsys.readouterr()
    assert ablation.main(settings(tmp_path, seeds=1, methods="bplf_3x3")) == 0
    assert started == ["glow", "bplf_3x3"]
    log = (tmp_path / "out/drawn_faces/steps_2/glow/seed_0.log").read_text()
    assert "Going on after step 2" in log
    kept = read(tmp_path / "out" / "results.csv")
    assert sorted(row["method"] for row in kept) == ["bplf_3x3", "glow", "glow_svd"]
    assert rows[1] in kept
    text = (tmp_path / "out/table_3_drawn_faces_steps_2.md").read_text()
    assert text in capsys.readouterr().out
    assert "equal steps, 2" in text
    assert "| bplf_3x3 † |" in text
    assert "† not answered" in text
    assert r"bplf\_3x3 \dag{}" in (tmp_path / "out/table_3_drawn_faces_steps_2.tex").read_text()
    for picture in ("curves", "samples"):
        with Image.open(tmp_path / f"out/table_3_drawn_faces_steps_2_{picture}.png") as image:
            assert len(np.unique(np.asarray(image))) > 10

    with pytest.raises(UserError, match="was made with other flags"):
        ablation.main(settings(tmp_path, common=COMMON + " --learning_rate=0.1"))


def written(tmp_path, results, **changes):
    """As if the plan's runs had been made elsewhere: their rows, and no directories."""
    settings_of = settings(tmp_path, results=str(results), **changes)
    rows = []
    for cell in ablation.make_plan(settings_of).cells:
        (row,) = rows_of(cell.method, [3.0 + 0.1 * cell.seed + 0.01 * len(rows)])
        rows.append(row | {"seed": str(cell.seed), "flags": cell.flags, "dataset": "drawn_faces"})
    return settings_of, rows


def test_runs_made_elsewhere_count_by_their_rows(tmp_path, monkeypatch, capsys):
    results = tmp_path / "docs.csv"
    plan, rows = written(tmp_path, results, seeds=3)
    other = {**rows[0], "flags": "of another plan"}
    write_csv(results, ablation_rows.COLUMNS, [other, *rows[:-2]])
    started = []

    def run_all(left, *rest):
        started.extend(run.name for run in left)
        return []

    monkeypatch.setattr(ablation.many_runs, "run_all", run_all)
    # Wherever the data lies: its path does not make it another run.
    plan = dataclasses.replace(plan, data_path=str(tmp_path), most_runs=1)
    assert ablation.main(plan) == 0
    assert [Path(name).parts[-2:] for name in started] == [("glow_svd", "seed_2")]
    assert "1 runs are left" in capsys.readouterr().out
    assert read(results) == [other, *rows[:-2]]
    text = (tmp_path / "out/table_3_drawn_faces_steps_2.md").read_text()
    assert "| glow | 3.1" in text  # three seeds
    assert "| glow_svd † |" in text  # two

    started.clear()
    write_csv(results, ablation_rows.COLUMNS, [other, *rows])
    assert ablation.main(dataclasses.replace(plan, most_runs=None)) == 0
    assert started == []
    text = (tmp_path / "out/table_3_drawn_faces_steps_2.md").read_text()
    assert "†" not in text
    # Two differences that answer a question, and two kinds of pairs that may be in order.
    assert text.count("\n| ") == (2 + 3) + (2 + 2) + (2 + 2)


def test_the_bar_counts_the_whole_plan(tmp_path, monkeypatch):
    results = tmp_path / "docs.csv"
    plan, rows = written(tmp_path, results, seeds=3)
    write_csv(results, ablation_rows.COLUMNS, rows[:2])
    bars = []

    class Bar(resumable_runs.tqdm):
        def __init__(self, **values):
            bars.append(values)
            super().__init__(disable=True, **values)

    monkeypatch.setattr(resumable_runs, "tqdm", Bar)
    monkeypatch.setattr(ablation.many_runs, "run_all", lambda *_: [])
    assert ablation.main(dataclasses.replace(plan, most_runs=3)) == 0
    assert [(bar["total"], bar["initial"]) for bar in bars] == [(9, 2)]


def test_the_clock_of_the_bar_goes_on_in_a_terminal(tmp_path, monkeypatch):
    refreshed = []

    class Bar(resumable_runs.tqdm):
        def refresh(self, *given, **named):
            refreshed.append(self.n)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def run_all(left, at_once, start, ended, waiting):
        refreshed.clear()
        waiting()
        return []

    monkeypatch.setattr(ablation.many_runs, "run_all", run_all)
    cell = Cell("glow", 0, "", RunDirectory(tmp_path / "seed_0"))
    for file, times in ((Terminal(), 1), (io.StringIO(), 0)):
        monkeypatch.setattr(resumable_runs, "tqdm", functools.partial(Bar, file=file))
        resumable_runs.make([cell], None, 1)
        assert refreshed == [0] * times


def test_samples_stand_below_their_labels(tmp_path, monkeypatch):
    """With labels one of each, without them some; every row has the method's name."""
    drawn, asked = [], []

    class Model:
        def __init__(self, classes):
            self.config = types.SimpleNamespace(classes=classes)

        def sample(self, labels, n, temperature, seed):
            asked.append(labels)
            return np.zeros((n, 4, 4, 1), np.uint8)

    monkeypatch.setattr("trainers.image_grid.image_grid", lambda *given: drawn.append(given))
    monkeypatch.setattr("trainers.image_grid.save_png", lambda *given: None)
    cell = Cell("glow", 0, "", RunDirectory(tmp_path / "seed_0"))
    cell.directory.path.mkdir()
    cell.directory.result.write_text("{}")
    plan = ablation.Plan(["glow", "later"], [cell], {})
    for classes in (("a", "b", "c"), ()):
        monkeypatch.setattr("bplf_tf.load_model", lambda path, of=classes: Model(of))
        ablation._draw_samples(settings(tmp_path), plan, tmp_path / "samples.png")
    ((row,), headings), ((without,), heading) = drawn
    assert asked == [[0, 1, 2], None]
    assert headings == ("a", "b", "c")
    assert row[0] == without[0] == "glow, temperature 0.7"
    assert [len(block) for block in row[1]] == [1, 1, 1]
    assert heading == ("without labels",)
    assert [len(block) for block in without[1]] == [8]


def test_a_run_remembers_all_that_it_was_made_on(tmp_path):
    directory = RunDirectory(tmp_path / "seed_0")
    cell = Cell("glow", 0, "--flags", directory)
    cell.notes.note_machine(4, at_once=1)  # of a start that came to nothing
    cell.notes.note_machine(2, at_once=1)
    directory.path.mkdir()
    cell.notes.note_machine(1, at_once=2)
    assert [machine["cores"] for machine in cell.notes.machines()] == [2, 1]
    result = {"bits_per_dim": 3.0, "steps": 2, "minutes": 1.0, "rollbacks": 1}
    directory.result.write_text(json.dumps(result))
    config = {
        "parameters": 7,
        "settings": {"seed": 0},
        "model": {"image_shape": [2, 2, 1]},
        "machine": {"system": "Linux", "architecture": "x86_64", "cores": 1},
    }
    directory.config.write_text(json.dumps(config))
    directory.metrics.write_text(
        "epoch,step,minutes,bits_per_dim,val_bits_per_dim\n1,1,0.5,4,3.5\n2,2,1.0,3,3.0\n"
    )
    row = ablation_rows.of_run(cell)
    assert (row["cores"], row["at_once"], row["rollbacks"]) == ("2, then 1", "1, then 2", "1")
    assert not ablation_rows.alike(row, row)
    assert ablation_rows.curve(row) == [(1, 0.5, 3.5), (2, 1.0, 3.0)]
    # Of a run from before they were noted, the last one is known.
    (tmp_path / "seed_0.machines").unlink()
    assert ablation_rows.of_run(cell)["machine"] == "Linux x86_64"


def test_a_csv_from_before_a_column_came_to_be(tmp_path):
    path = tmp_path / "old.csv"
    path.write_text("method,seed,flags,failed,bits_per_dim\nglow,0,--x,,3.5\n")
    ((key, row),) = ablation_rows.read(path).items()
    assert key == ("glow", "0", "--x")
    assert ablation_rows.curve(row) == []
    ablation_rows.write(path, [row])
    assert ablation_rows.read(path) == {key: row}


def test_what_does_not_fit_is_named_and_the_rest_is_planned(tmp_path, capsys):
    plan = settings(tmp_path, table="svd", methods=None, common=COMMON.replace("16", "18", 1))
    assert ablation.main(dataclasses.replace(plan, plan_only=True)) == 0
    printed = capsys.readouterr().out
    assert "bplf_3x3_pca is left out: svd_protocol='pca' halves height and width" in printed
    assert printed.count("to do ") == 4 * 2


def test_a_run_that_fails_is_told(tmp_path):
    broken = settings(tmp_path, methods="glow", seeds=1)
    folder = tmp_path / "out/drawn_faces/steps_2/glow"
    folder.mkdir(parents=True)
    (folder / "seed_0").write_text("not a directory")
    assert ablation.main(broken) == 1
    (row,) = read(tmp_path / "out" / "results.csv")
    assert row["failed"] == "exit code 2, see glow/seed_0.log"
    assert not row["bits_per_dim"]
    assert "is not a directory" in (folder / "seed_0.log").read_text()
    text = (tmp_path / "out/table_3_drawn_faces_steps_2.md").read_text()
    assert "| glow | failed: exit code 2, see glow/seed_0.log | " in text
    assert "| bplf_3x3 | no run yet |" not in text  # it was not asked for


def test_curves(tmp_path):
    places, values = mean_curve([([1.0, 2.0, 3.0], [5.0, 4.0, 3.0]), ([1.0, 4.0], [3.0, 2.0])])
    assert (places, values) == ([1.0, 3.0], [4.0, 3.0])
    # Beyond the middle of the longest one: none of a curve that ends before.
    halves = late({"a": ([1.0, 2.0, 4.0], [9.0, 8.0, 7.0]), "b": ([1.0], [5.0]), "c": ([], [])})
    assert halves == {"a": ([2.0, 4.0], [8.0, 7.0]), "b": ([], []), "c": ([], [])}
    path = tmp_path / "curves.png"
    save_curves({"a": (places, values)}, "minutes", "title", path)
    with Image.open(path) as image:
        assert image.width > 1000
        assert image.height > 1000  # the second half stands below


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"table": "6"},
            "presets, inception, questions, g0, svd, got '6'",
        ),
        ({"most_runs": -1}, "--most_runs must not be negative, got -1"),
        ({"results": "results.txt"}, "--results must end in .csv, got 'results.txt'"),
        ({"results": "nowhere/results.csv"}, "--results=nowhere/results.csv: there is no folder"),
        ({"budget": "epochs"}, "--budget must be one of steps, minutes, parameters, flops"),
        ({"amount": 2.5}, "--amount must be a positive number of steps, got 2.5"),
        ({"amount": -1.0, "budget": "minutes"}, "--amount must be a positive number of minutes"),
        ({"seeds": 0}, "--seeds must be a positive integer, got 0"),
        ({"at_once": 0}, "--at_once must lie in"),
        ({"temperature": -1.0}, "--temperature must not be negative"),
        ({"methods": "glow,flow"}, "table 3 has no 'flow'; it has glow, glow_svd"),
        ({"table": "g0", "ranks": "full,0", "methods": None}, "--ranks must be full, half or"),
        ({"common": "--seed=3"}, "--common holds --seed, which the ablation chooses"),
        ({"common": f"--flagfile={ROOT}/drawn_faces.flags"}, "--common holds --max_minutes, which"),
        ({"common": "--widht=3"}, "Unknown command line flag 'widht'"),
        ({"common": "stray"}, "not a flag: stray"),
        ({"common": "--width=0"}, "width must be a positive integer, got 0"),
        ({"dataset": "faces"}, "--dataset must be one of"),
    ],
)
def test_mistakes_are_told_before_any_run(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        ablation.main(settings(tmp_path, **changes))
    assert not (tmp_path / "out").exists()
