import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.files import write_csv
from datasets.flags import UserError
from trainers import environment, sweep
from trainers.run_directory import RunDirectory

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


class Fits:
    """In place of `trainers.fit`: runs that end at once, with an exit code and files of a run."""

    def __init__(self, monkeypatch):
        self.started = []
        self.codes = {}
        monkeypatch.setattr(sweep.many_runs, "start_fit", self._start)

    def _start(self, arguments, directory, of_cores, append):
        self.started.append((directory.name, arguments, append))
        code = self.codes.get(directory.name, 0)
        checkpoint = directory / "checkpoints" / "step_000000001"
        checkpoint.mkdir(parents=True, exist_ok=True)
        if not code:
            files = RunDirectory(directory)
            figures = {"bits_per_dim": 4.5, "steps": 2, "minutes": 1.0}
            files.result.write_text(json.dumps(figures))
            files.config.write_text(json.dumps({"parameters": 7, "settings": {"seed": 3}}))
            files.metrics.write_text("epoch,step,minutes,bits_per_dim\n1,2,1.0,4.6\n")
        return subprocess.Popen([sys.executable, "-S", "-c", f"raise SystemExit({code})"])

    def how(self):
        """Names of the runs that were started since the last call, and whether to go on."""
        told = []
        for name, arguments, append in self.started:
            (mode,) = {"--resume", "--overwrite"} & set(arguments)
            assert append == (mode == "--resume")
            told.append((name, mode))
        self.started.clear()
        return told


@pytest.fixture
def fits(monkeypatch):
    return Fits(monkeypatch)


def test_a_run_that_was_stopped_goes_on(settings, fits):
    fits.codes = {"a": 143}
    plan = settings("a: --seed=1\nb:")
    assert sweep.main(plan) == 1
    assert fits.how() == [("a", "--overwrite"), ("b", "--overwrite")]
    assert [row["failed"][:13] for row in rows(plan)] == ["exit code 143", ""]

    assert sweep.main(plan) == 1
    assert fits.how() == [("a", "--resume")]

    # What it began with other flags it cannot go on with.
    fits.codes = {}
    assert sweep.main(settings("a: --seed=2\nb:")) == 0
    assert fits.how() == [("a", "--overwrite")]
    told = {row["name"]: row for row in rows(plan)}
    assert (told["a"]["flags"], told["a"]["failed"]) == ("--seed=2", "")


def test_flags_of_another_way_to_start_are_taken_back(settings, fits):
    fits.codes = {"a": 143}
    plan = settings("a:", common="--overwrite --seed=1")
    sweep.main(plan)
    sweep.main(plan)
    _, (_, arguments, _) = fits.started
    assert arguments[-2:] == ["--resume", "--nooverwrite"]


def test_a_row_says_on_what_the_run_was_made(settings, fits, monkeypatch):
    fits.codes = {"a": 143}
    monkeypatch.setattr(environment, "machine", lambda: {"system": "A", "architecture": "x"})
    plan = settings("a:\nb:")
    sweep.main(plan)
    fits.codes = {}
    monkeypatch.setattr(environment, "machine", lambda: {"system": "B", "architecture": "x"})
    assert sweep.main(plan) == 0
    told = {row["name"]: row for row in rows(plan)}
    assert told["a"]["machine"] == "A x, then B x"
    assert told["b"]["machine"] == "A x"
    assert int(told["b"]["cores"]) >= 1
    # A run that begins anew was made on the last machine alone.
    (Path(plan.out)).unlink()
    assert sweep.main(settings("a: --seed=2")) == 0
    (row,) = rows(plan)
    assert row["machine"] == "B x"


def test_rows_from_before_a_column_came_to_be(settings, fits, capsys):
    plan = settings("old:\nnew:")
    columns = [name for name in sweep._COLUMNS if name != "machine"]
    old = {
        **dict.fromkeys(columns, "1"),
        "name": "old",
        "flags": "",
        "common": COMMON,
        "failed": "",
    }
    write_csv(Path(plan.out), columns, [old])
    assert sweep.main(plan) == 0
    assert fits.how() == [("new", "--overwrite")]
    kept, made = rows(plan)
    assert kept == {**old, "machine": ""}
    assert made["machine"]
    assert "| old | " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("plan", "common", "now"),
    [
        ("a: --seed=2", COMMON, f"{COMMON} --seed=2"),
        ("a: --seed=1", f"{COMMON} --noflip", f"{COMMON} --noflip --seed=1"),
        ("a:", COMMON, COMMON),
    ],
)
def test_a_done_run_with_other_flags_is_refused(settings, fits, plan, common, now):
    assert sweep.main(settings("a: --seed=1\nb:")) == 0
    before = rows(settings("a:"))
    fits.how()
    with pytest.raises(UserError) as refused:
        sweep.main(settings(f"{plan}\nc:", common=common))
    said = str(refused.value)
    for text in ("'a'", "runs.csv", f"'{COMMON} --seed=1'", f"'{now}'"):
        assert text in said
    assert fits.how() == []
    assert rows(settings("a:")) == before


def test_the_same_flags_may_be_written_otherwise(settings, fits):
    assert sweep.main(settings("a: --depth=1,2")) == 0
    fits.how()
    assert sweep.main(settings("a:   --depth='1,2'")) == 0
    assert fits.how() == []


def test_the_table_holds_no_runs_of_another_common(settings, fits, capsys):
    assert sweep.main(settings("a:", common="--max_steps=5")) == 0
    assert sweep.main(settings("b:")) == 0
    capsys.readouterr()
    assert sweep.main(settings("c:")) == 0
    printed = capsys.readouterr().out
    assert "| b | " in printed
    assert "| c | " in printed
    assert "| a | " not in printed
    assert "1 runs of " in printed
    assert [row["name"] for row in rows(settings("c:"))] == ["a", "b", "c"]


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
