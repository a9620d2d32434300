import csv
from pathlib import Path

import pytest

from datasets.flags import UserError
from trainers import sweep

COMMON = (
    "--dataset=drawn_faces --image_size=16 --limit=14 --validation_limit=14 --size=tiny "
    "--levels=1 --depth=1 --width=4 --batch_size=8 --max_steps=2 --samples_per_label=1"
)


@pytest.fixture
def settings(tmp_path):
    def make(text, **changes):
        path = tmp_path / "plan.txt"
        path.write_text(text)
        defaults = {
            "plan": str(path),
            "out": str(tmp_path / "runs.csv"),
            "runs": str(tmp_path / "runs"),
            "common": COMMON,
        }
        return sweep.SweepSettings(**{**defaults, **changes})

    return make


def rows(settings):
    with Path(settings.out).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_runs_are_kept_and_only_what_is_missing_is_run(settings, monkeypatch, capsys):
    one = settings("# first\nplain:\nbroken: --width=none\n")
    assert sweep.main(one) == 1
    plain, broken = rows(one)
    assert plain["name"] == "plain"
    assert float(plain["bits_per_dim"]) > 0
    assert int(plain["steps"]) == 2
    assert int(plain["parameters"]) > 100
    assert not plain["failed"]
    assert broken["failed"].startswith("exit code 2")

    capsys.readouterr()
    started = []
    start = sweep._start
    monkeypatch.setattr(sweep, "_start", lambda run, *a: started.append(run.name) or start(run, *a))
    assert sweep.main(settings("plain:\nbroken: --seed=3  # mended\n")) == 0
    assert started == ["broken"]
    kept, mended = rows(one)
    assert kept == plain
    assert mended["seed"] == "3"
    printed = capsys.readouterr().out
    assert "2 runs, 1 of them done" in printed
    table = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    best, other = sorted((plain, mended), key=lambda row: float(row["bits_per_dim"]))
    assert [row[0] for row in table[2:]] == [f"| {best['name']}", f"| {other['name']}"]
    assert table[2][2] == best["bits_per_dim"]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("", "holds no run"),
        ("a:\nb --seed=1", "line 2: expected 'name: flags'"),
        ("a/b: --seed=1", "line 1: expected 'name: flags'"),
        ("a: --seed=1\n\na:", "line 3: 'a' is there twice"),
        ("a: --run_dir=x", "line 1: --run_dir is chosen"),
    ],
)
def test_wrong_plans(settings, plan, message):
    with pytest.raises(UserError, match=message):
        sweep.main(settings(plan))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plan": None}, "--plan is required"),
        ({"out": None}, "--out is required"),
        ({"at_once": 0}, "--at_once must lie in"),
        ({"plan": "nowhere.txt"}, "nowhere.txt"),
    ],
)
def test_wrong_settings(settings, changes, message):
    with pytest.raises(UserError, match=message):
        sweep.main(settings("a:", **changes))
