"""The benchmarks parse their flags and run at a tiny size. No figure is looked at."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import report
from benchmarks.contenders import CONTENDERS, DEFAULT_CONTENDERS, choose, has_normflows
from benchmarks.presets_tables import NAMES, config_of, dlf_rows, minutes_to, row
from benchmarks.presets_worker import Task
from benchmarks.problem import Problem
from benchmarks.projection import projection, ring_all_reduce_seconds
from tests.checkout import ROOT

TINY = ["--levels=2", "--image_size=8", "--batch_size=2", "--rounds=1"]


def run(module: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_train_step_prints_every_contender_and_writes_json(tmp_path):
    out = tmp_path / "result.json"
    done = run(
        "train_step",
        *TINY,
        "--contenders=bplf_bf16,tfp_glow",
        "--depth=2",
        "--widths=4",
        "--steps=1",
        "--nopeak",
        f"--json_out={out}",
    )
    assert done.returncode == 0, done.stderr
    for name in ("bplf_bf16", "tfp_glow"):
        assert f"\n{name} " in done.stdout
    assert "beside the faster float32 peer, tfp_glow: bplf_bf16 " in done.stdout
    (record,) = json.loads(out.read_text())["runs"]
    assert record["problem"]["depth"] == 2
    for result in record["results"].values():
        assert len(result["images_per_second"]) == 1
        assert np.isfinite([result["loss"], result["first_loss"]]).all()
        assert result["peak_bytes"] > 0
        assert result["parameters"] > 0


@pytest.mark.slow
def test_pixel_prints_every_kind_of_model_and_the_sizes(tmp_path):
    out = tmp_path / "result.json"
    done = run(
        "pixel", "--image_size=16", "--pairs=10", "--rounds=1", "--flow_size=tiny",
        f"--json_out={out}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\npixel model " in done.stdout
    assert "\nStarGAN's generator" in done.stdout
    record = json.loads(out.read_text())
    assert record["results"]["pixel model"]["parameters"] == 2 * 16 * 16
    assert record["flow_parameters"] > 1000


@pytest.mark.slow
def test_startup_prints_growth():
    done = run("startup", *TINY, "--contenders=bplf", "--depths=1,2", "--width=4")
    assert done.returncode == 0, done.stderr
    assert "K 1 -> 2" in done.stdout
    assert "\nbplf " in done.stdout


@pytest.mark.slow
def test_memory_prints_both_modes_and_a_peer_at_fewer_depths(tmp_path):
    out = tmp_path / "result.json"
    done = run(
        "memory",
        *TINY,
        "--contenders=bplf,bplf_constant,tfp_glow",
        "--depths=1,2",
        "--peer_depths=1",
        "--width=4",
        "--steps=1",
        f"--json_out={out}",
    )
    assert done.returncode == 0, done.stderr
    assert "K 2 / K 1" in done.stdout
    assert "a step of bplf_constant takes" in done.stdout
    record = json.loads(out.read_text())
    for name in ("bplf", "bplf_constant"):
        by_depth = record["peaks"][name]
        assert by_depth["2"]["parameters"] > by_depth["1"]["parameters"] > 0
    assert list(record["peaks"]["tfp_glow"]) == ["1"]


@pytest.mark.slow
def test_presets_measures_each_in_its_own_process(tmp_path):
    out = tmp_path / "result.json"
    done = run(
        "presets", *TINY, "--image_size=16", "--presets=bplf_3x3,dlf_2,dlf_6", "--depth=1",
        "--width=4", "--steps=1", "--calls=1", "--images=4", "--held_out=2", "--minutes=0",
        f"--json_out={out}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\nbplf_3x3, again " in done.stdout
    assert "to dlf_2" in done.stdout
    record = json.loads(out.read_text())
    assert record["target"] == record["results"]["bplf_3x3"]["bits_per_dim"][0]
    for result in record["results"].values():
        assert np.isfinite(result["bits_per_dim"]).all()
        assert result["peak_bytes"] > 2**20
        assert list(result["sample_seconds"]) == ["1", "2"]


def test_presets_table():
    problem = Problem(channels=3)
    configs = {name: config_of(name, problem) for name in NAMES}
    assert {config.pixel_logit for config in configs.values()} == {False}
    assert {config.width for config in configs.values()} == {64}
    assert configs["dlf_6"].part_sizes(12) == (2,) * 6
    assert (configs["nice_dense"].levels, configs["realnvp"].levels) == (1, 3)
    told = {"seconds": [30.0, 30.0], "bits_per_dim": [4.0, 3.5], "peak_bytes": 2**30}
    told |= {"parameters": 1000, "flops_per_image": 10**6}
    told["sample_seconds"] = {"1": [0.01, 0.03, 0.02], "64": [0.5]}
    task = Task({}, "", 64, 30, 2, 3, 1e-3, 3.6, 1.0)
    assert minutes_to(3.6, told) == "1.00"
    assert minutes_to(3.4, told) == "> 1.00"
    line = row("dlf_6", configs["dlf_6"], told, task, 3.6)
    assert line["networks/step"] == "5"
    assert line["images/s (min-max)"] == "64 (64-64)"
    assert line["sampling 1, ms"] == "20.0"
    assert line["sampling 64, images/s"] == "128"
    assert line["memory, MiB"] == "1024"
    slower = {**told, "seconds": [90.0, 90.0], "flops_per_image": 2 * 10**6}
    two, six = dlf_rows({"glow": told, "dlf_2": told, "dlf_6": slower}, task)
    assert (two["networks/step"], six["networks/step"]) == ("1", "5")
    assert (six["to dlf_2"], six["MFLOP"]) == ("3.00x", "2.00x")
    assert dlf_rows({"glow": told}, task) == []


def test_memory_refuses_other_depths_for_peers():
    done = run("memory", "--depths=1,2", "--peer_depths=3")
    assert done.returncode != 0
    assert "--peer_depths must be some of --depths" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_scaling_counts_what_is_exchanged(tmp_path):
    out = tmp_path / "result.json"
    arguments = [*TINY, "--depth=1", "--width=4", "--steps=1", "--processes=1,2"]
    done = run("scaling", *arguments, f"--json_out={out}")
    assert done.returncode == 0, done.stderr
    alone, two = json.loads(out.read_text())["runs"][:2]
    assert alone["collectives"] == 0
    # One for the gradients, the sum of the batch's bits and its count; Keras' own for the sum and
    # the count of each of two metrics; and one by which the processes agree on clock and signals.
    assert two["collectives"] == 1 + 2 * 2 + 1
    assert 0 <= two["bytes"] - 4 * (two["parameters"] + 2) < 100
    assert two["loss"] == pytest.approx(alone["loss"], rel=1e-5)


def test_projection_of_a_ring():
    # Two devices: each sends every byte once, in two messages.
    assert ring_all_reduce_seconds(1e9, 3, 2, 1e9, 0.01) == pytest.approx(1 + 3 * 2 * 0.01)
    # Many: hardly more than twice the bytes, however many there are.
    assert ring_all_reduce_seconds(1e9, 1, 1000, 1e9, 0.0) == pytest.approx(2, rel=2e-3)
    text = projection(1_500_000, collectives=5)
    assert "PROJECTION, not measured" in text
    # 10 Gbit/s: 2 * 7 / 8 * 6 MB / 1.25 GB/s = 8.4 ms, and 5 * 14 messages of 50 us.
    assert text.splitlines()[4].split("  ")[0] == "8 machines, 10 Gbit/s"
    assert "11.9 ms" in text.splitlines()[4]


@pytest.mark.slow
def test_input_pipeline_times_every_way(tmp_path):
    out = tmp_path / "result.json"
    arguments = [*TINY, "--depth=1", "--width=4", "--calls=1", "--images=50"]
    done = run("input_pipeline", *arguments, f"--json_out={out}")
    assert done.returncode == 0, done.stderr
    assert "input pipeline, 10 steps in a call" in done.stdout
    seconds = json.loads(out.read_text())["seconds"]
    assert len(seconds) == 3
    assert all(len(times) == 1 and times[0] > 0 for times in seconds.values())


@pytest.mark.parametrize("module", ["train_step", "startup", "memory"])
@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--contenders=nobody", "got nobody"),
        ("--contenders=bplf,bplf", "different names"),
        ("--image_size=12", "divisible by 2^levels = 8"),
        ("--batch_size=0", "positive"),
        ("stray", "unexpected arguments: stray"),
    ],
)
def test_wrong_flags_are_refused(module, flag, message):
    done = run(module, flag)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_peak_of_a_model_command_line():
    done = run("peak", "--help")
    assert done.returncode == 0, done.stderr
    assert "--model" in done.stdout


def test_choose():
    assert [contender.name for contender in choose(["tfp_glow", "bplf"])] == ["tfp_glow", "bplf"]
    assert set(DEFAULT_CONTENDERS) <= set(CONTENDERS)
    with pytest.raises(ValueError, match="got none"):
        choose([])


def test_interpreters():
    assert not has_normflows("false")
    with pytest.raises(ValueError, match="--torch_python"):
        has_normflows("/no/such/python")


def test_problem_counts_convolutions():
    problem = Problem(levels=1, depth=3, width=5, image_size=4, channels=1, batch_size=7)
    assert problem.level_shape(0) == (2, 4)
    assert problem.convolutions(0) == [(3, 2, 5), (1, 5, 5), (3, 5, 4)]
    multiply_adds = 9 * 2 * 5 + 5 * 5 + 9 * 5 * 4
    assert problem.training_flops() == 3 * 2 * multiply_adds * 4 * 3 * 7
    assert Problem.from_json(problem.to_json()) == problem
    images = problem.images()
    assert images.shape == (7, 4, 4, 1)
    assert images.dtype == np.uint8
    assert images.std() > 0


def test_problem_refuses():
    with pytest.raises(ValueError, match="width must be a positive integer, got 0"):
        Problem(width=0)
    with pytest.raises(ValueError, match="divisible by 2\\^levels = 8, got 12"):
        Problem(image_size=12)


def test_report():
    rows = [{"name": "a", "value": "10"}, {"name": "longer", "value": "9"}]
    assert report.table(rows) == "name    value\na          10\nlonger      9"
    assert report.median_and_range([3.0, 1.0, 2.0]) == "2 (1-3)"
    assert report.ratio(3.0, 2.0) == "1.50x"
    assert report.ratio(3.0, None) == "-"
