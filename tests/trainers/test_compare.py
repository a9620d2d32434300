"""`trainers.compare`: what it reads of run directories, and what it draws and prints."""

import pytest
from PIL import Image

from datasets.files import write_csv, write_json
from datasets.flags import UserError
from trainers import compare
from trainers.compare import CompareSettings

COLUMNS = ("epoch", "step", "minutes", "bits_per_dim", "val_bits_per_dim")


def write_run(path, curves, settings, bits_per_dim=None):
    path.mkdir()
    rows = [
        dict(zip(COLUMNS, (i, 100 * i, 0.5 * i, *values), strict=True))
        for i, values in enumerate(curves, start=1)
    ]
    write_csv(path / "metrics.csv", COLUMNS, rows)
    write_json(path / "config.json", {"settings": {"run_dir": str(path), "seed": 3, **settings}})
    if bits_per_dim is not None:
        write_json(path / "result.json", {"bits_per_dim": bits_per_dim})


@pytest.fixture
def runs(tmp_path):
    """Two runs, of which the second has not come to its end."""
    first, second = tmp_path / "a", tmp_path / "b"
    write_run(first, [(5.5, 5.0), (4.5, 4.25)], {"network_dtype": "float32"}, 4.125)
    write_run(second, [(5.75, 5.25)], {"network_dtype": "mixed_bfloat16"})
    return f"{first},{second}"


def test_it_draws_both_figures_of_every_run(runs, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(compare, "save_panels", lambda *given: drawn.append(given))
    out = tmp_path / "curves.png"
    for axis in ("step", "minutes"):
        settings = CompareSettings(runs=runs, names="x,y", axis=axis, title="z", out=str(out))
        assert compare.main(settings) == 0
    assert drawn[0] == (
        {
            "in training": {"x": ([100, 200], [5.5, 4.5]), "y": ([100], [5.75])},
            "held-out images": {"x": ([100, 200], [5.0, 4.25]), "y": ([100], [5.25])},
        },
        "step",
        "z",
        out,
    )
    assert drawn[1][0]["in training"]["x"] == ([0.5, 1.0], [5.5, 4.5])


def test_it_prints_where_the_runs_ended_and_in_what_they_differ(runs, tmp_path, capsys):
    out = tmp_path / "curves.png"
    assert compare.main(CompareSettings(runs=runs, out=str(out))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| a | `--network_dtype=float32` | 200 | 1.0 | 4.5000 | 4.2500 | 4.1250 |"
    assert lines[3] == "| b | `--network_dtype=mixed_bfloat16` | 100 | 0.5 | 5.7500 | 5.2500 |  |"
    assert lines[4] == f"wrote {out}"
    with Image.open(out) as picture:
        assert picture.width > picture.height > 100
        assert len(picture.getcolors(2**24)) > 10


def test_a_last_epoch_of_one_batch_is_no_upturn(tmp_path, monkeypatch, capsys):
    write_run(tmp_path / "a", [(5.5, 5.0), (4.5, 4.25), (9.5, 4.24)], {})
    path = tmp_path / "a" / "metrics.csv"
    path.write_text(path.read_text().replace("3,300,", "3,201,"))
    drawn = []
    monkeypatch.setattr(compare, "save_panels", lambda *given: drawn.append(given))
    settings = CompareSettings(runs=str(tmp_path / "a"), out=str(tmp_path / "curves.png"))
    assert compare.main(settings) == 0
    ((panels, *_),) = drawn
    places, values = panels["in training"]["a"]
    assert (places, values) == ([100, 200, 201], pytest.approx([5.5, 4.5, 4.55]))
    assert panels["held-out images"]["a"] == ([100, 200, 201], [5.0, 4.25, 4.24])
    assert "| a |  | 201 | 1.5 | 4.5500 | 4.2400 |  |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": None}, "--runs is required"),
        ({"axis": "hours"}, "--axis must be one of step, minutes, epoch, got 'hours'"),
        ({"out": "curves.jpg"}, "--out must end in .png, got curves.jpg"),
        ({"out": "nowhere/curves.png"}, "there is no folder nowhere"),
        ({"names": "x"}, "--names: 1 names for 2 runs"),
        ({"names": "x,x"}, "two runs have one name: x, x; --names gives them others"),
        ({"runs": "nowhere"}, "nowhere is no run that finished an epoch"),
    ],
)
def test_mistakes(runs, changes, message):
    with pytest.raises(UserError, match=message):
        compare.main(CompareSettings(**{"runs": runs, **changes}))


def test_a_run_without_its_configuration(runs, tmp_path):
    (tmp_path / "a" / "config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json"):
        compare.main(CompareSettings(runs=runs))
