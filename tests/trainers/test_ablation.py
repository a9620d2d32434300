import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bplf_tf.catalogue import cost
from datasets.files import write_csv
from datasets.flags import UserError
from tests.checkout import ROOT
from trainers import ablation, ablation_report
from trainers.ablation import AblationSettings
from trainers.ablation_plan import TABLES, Budget, budget_flags, config_of, methods
from trainers.ablation_report import Subject, footnotes, latex, lines, markdown, table
from trainers.curves import mean_curve, save_curves

COMMON = (
    "--image_size=16 --limit=14 --validation_limit=14 --size=tiny --levels=1 --depth=1 --width=4 "
    "--batch_size=8 --steps_per_epoch=1 --samples_per_label=1"
)
SHAPE = (16, 16, 3)
CLASSES = ("a", "b")


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
        assert bool(row["bits_per_dim_truncated"]) == row["method"].endswith("svd")

    # A run that was broken off goes on, one that is done stays, and a method more is made.
    (tmp_path / "out/drawn_faces/steps_2/glow/seed_0/result.json").unlink()
    write_csv(tmp_path / "out" / "results.csv", ablation_report.COLUMNS, rows[1:])
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
    plan = settings(tmp_path, results=str(results), **changes)
    chosen = ablation._chosen(plan)
    rows = []
    for cell in ablation._cells(plan, chosen):
        (row,) = rows_of(cell.method, [3.0 + 0.1 * cell.seed + 0.01 * len(rows)])
        row |= {"seed": str(cell.seed), "flags": cell.flags, "dataset": "drawn_faces"}
        rows.append({name: row.get(name, "") for name in ablation_report.COLUMNS})
    return plan, rows


def test_runs_of_another_session_count_by_their_rows(tmp_path, monkeypatch, capsys):
    results = tmp_path / "docs.csv"
    plan, rows = written(tmp_path, results, seeds=3)
    other = {**rows[0], "flags": "of another plan"}
    write_csv(results, ablation_report.COLUMNS, [other, *rows[:-2]])
    started = []

    def run_all(left, at_once, start, ended):
        started.extend(run.name for run in left)

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
    write_csv(results, ablation_report.COLUMNS, [other, *rows])
    assert ablation.main(dataclasses.replace(plan, most_runs=None)) == 0
    assert started == []
    text = (tmp_path / "out/table_3_drawn_faces_steps_2.md").read_text()
    assert "†" not in text
    assert text.count("\n| ") == 2 + 3


def test_a_run_that_fails_is_told(tmp_path):
    broken = settings(tmp_path, methods="glow", seeds=1)
    folder = tmp_path / "out/drawn_faces/steps_2/glow"
    folder.mkdir(parents=True)
    (folder / "seed_0").write_text("not a directory")
    assert ablation.main(broken) == 1
    (row,) = read(tmp_path / "out" / "results.csv")
    assert row["failed"].startswith("exit code 2, see ")
    assert not row["bits_per_dim"]
    assert "is not a directory" in (folder / "seed_0.log").read_text()


def test_tables_hold_what_they_are_named_after():
    assert [name for name, _ in methods("3")] == [
        "glow", "glow_svd", "bplf_3x3", "bplf_3x3_1x1", "bplf_3x3_svd", "bplf_3x3_1x1_svd",
    ]  # fmt: skip
    names = [name for name, _ in methods("g0", ("full", "half", "3"))]
    assert len(set(names)) == len(names) == 4 * 2 * 2 * 3
    assert names[0] == "3x3_1x1_3x3-coupling-actnorm-full"
    for name in TABLES:
        for _, own in methods(name):
            config = config_of(own, SHAPE, CLASSES)
            assert not config.pixel_logit
            assert not config.heavy_tails
    config = config_of(methods("g0", ("3",), extras=True)[-1][1], SHAPE, CLASSES)
    assert (config.g0, config.actnorm, config.network) == (True, False, "inception_b")
    assert (config.svd_protocol, config.svd_rank, config.heavy_tails) == ("paper", 3, True)


def test_ways_to_truncate():
    configs = [config_of(own, SHAPE, CLASSES) for _, own in methods("svd")]
    protocols = [config.svd_protocol for config in configs]
    assert protocols == [None, "paper", "anneal", "bijector", "pca"]


def test_equal_parameters_and_equal_flops():
    texts = [f"{own} --size=tiny" for _, own in methods("g0", ("full",))[::4]]
    configs = [config_of(text, SHAPE, CLASSES) for text in texts]
    assert len({config.network for config in configs}) == 4
    parameters, flops = cost(configs[0])
    for text, own in zip(texts, budget_flags(Budget("parameters", 5), configs), strict=True):
        assert "--max_steps=5" in own
        changed = config_of(f"{text} {own}", SHAPE, CLASSES)
        assert abs(cost(changed)[0] / parameters - 1) < 0.1
    steps = [
        int(own.removeprefix("--max_steps="))
        for own in budget_flags(Budget("flops", 1000), configs)
    ]
    assert steps[0] == 1000
    for count, config in zip(steps, configs, strict=True):
        assert count * cost(config)[1] == pytest.approx(1000 * flops, rel=0.01)
    assert budget_flags(Budget("minutes", 2.5), configs) == ["--max_minutes=2.5"] * 4


def rows_of(method, bits, minutes=10.0, truncated=""):
    return [
        {
            "method": method, "seed": str(seed), "bits_per_dim": str(value), "nats": "100.0",
            "bits_per_dim_truncated": truncated, "steps": "9", "minutes": str(minutes),
            "parameters": "1234", "failed": "",
        }
        for seed, value in enumerate(bits)
    ]  # fmt: skip


def test_lines_are_paired_with_the_first_method():
    rows = rows_of("glow", (4.0, 5.0, 6.0)) + rows_of("bplf", (3.9, 4.91, 5.89), truncated="3.5")
    rows += rows_of("quick", (3.0, 3.1, 3.2), minutes=9.9) + rows_of("single", (3.0,))
    rows[-1]["failed"] = "exit code 1"
    glow, bplf, quick = lines(rows, ["glow", "bplf", "quick", "single", "absent"])
    assert glow.difference is None
    assert bplf.difference.mean == pytest.approx(-0.1)
    assert bplf.difference.p_value < 0.01
    assert glow.bits.half_width > 1
    assert (glow.answered, bplf.answered, quick.answered) == (True, True, False)
    ours = Subject("g0", "drawn_faces")
    heading, *cells = table([glow, bplf, quick], ours)
    assert heading[-1] == "bits/dim of truncated images"
    assert cells[0][-1] == ""
    assert cells[1][-1].startswith("3.5000")
    # Never in the column of the others.
    assert not any(cell.startswith("3.5") for row in cells for cell in row[:-1])
    assert cells[1][2].startswith("-0.1000 ± 0.0")
    assert cells[2][0] == "quick †"
    assert len(footnotes([glow], ours)) == 2
    assert len(footnotes([glow, bplf, quick], ours)) == 4
    assert "| 1,234 |" in markdown("t", table([glow], ours), ["n"])
    assert table([glow], Subject("4", "drawn_faces"))[1][2] == "100.0 ± 0.0"
    assert r"50\% of a\_b $\pm$ 1" in latex("50% of a_b ± 1", table([glow], ours), [])


def test_what_counts_as_answered():
    glow, bplf = rows_of("glow", (4.0, 5.0, 6.0), 9.7), rows_of("bplf", (3.0, 4.0, 5.0), 9.7)
    assert not any(line.answered for line in lines(glow + bplf, ["glow", "bplf"]))
    # Ten minutes, of which the last validation took some.
    for row in glow + bplf:
        row |= {"budget": "minutes", "amount": "10"}
    assert all(line.answered for line in lines(glow + bplf, ["glow", "bplf"]))
    # Three seeds, but two to compare with.
    one, two = lines(glow[:2] + bplf, ["glow", "bplf"])
    assert (one.answered, two.answered) == (False, False)
    assert two.difference.count == 2
    (alone,) = lines(bplf, ["glow", "bplf"])
    assert not alone.answered


def test_questions_share_their_runs_with_table_3():
    questions, table_3 = dict(methods("questions")), dict(methods("3"))
    assert len(questions) == 6
    shared = questions.keys() & table_3.keys()
    assert len(shared) == 4
    assert all(questions[name] == table_3[name] for name in shared)
    config = config_of(questions["bplf_3x3_no_g0"], SHAPE, CLASSES)
    assert (config.g0, config.network) == (False, "3x3_3x3_3x3")


def test_the_paper_stands_beside_and_its_contradictions_are_marked():
    rows = rows_of("glow", (1.1, 1.2, 1.3)) + rows_of("bplf_3x3", (1.0, 1.1, 1.2))
    both = lines(rows, ["glow", "bplf_3x3"])
    subject = Subject("3", "mnist")
    heading, glow, bplf = table(both, subject)
    assert heading[-1] == "the paper's figure"
    assert (glow[-1], bplf[-1]) == ("1.18 ‡", "1.14")
    notes = footnotes(both, subject)
    assert "The paper has bplf_3x3_1x1, bplf_3x3_1x1_svd, bplf_3x3_svd, glow_svd too." in notes
    assert notes[-1] == "‡ glow: 1.18 bits/dim in table 3, 1.24 in table 5."
    assert r"1.18 \ddag{}" in latex("t", table(both, subject), notes)
    _, glow = table(both[:1], Subject("4", "cifar10"))
    assert glow[-1] == "4513.2 ‡"


def test_nats_are_those_of_equation_4_1():
    assert ablation_report.nats(8.0, (2, 2, 1)) == pytest.approx(-4 * np.log(2))


def test_curves(tmp_path):
    places, values = mean_curve([([1.0, 2.0, 3.0], [5.0, 4.0, 3.0]), ([1.0, 4.0], [3.0, 2.0])])
    assert (places, values) == ([1.0, 3.0], [4.0, 3.0])
    path = tmp_path / "curves.png"
    save_curves({"a": (places, values)}, "minutes", "title", path)
    with Image.open(path) as image:
        assert image.width > image.height > 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "6"}, "--table must be one of 3, 4, 5, presets, questions, g0, svd, got '6'"),
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
