import numpy as np
import pytest

from tests.trainers.ablation_runs import rows_of
from trainers import ablation_rows
from trainers.ablation_lines import absent, contrast, lines
from trainers.ablation_questions import Contrast
from trainers.ablation_report import (
    Subject,
    contrast_table,
    footnotes,
    latex,
    markdown,
    order_table,
    table,
)

OURS = Subject("g0", "drawn_faces")


def test_lines_are_paired_with_the_first_method():
    rows = rows_of("glow", (4.0, 5.0, 6.0))
    rows += rows_of("bplf", (3.9, 4.91, 5.89), bits_per_dim_truncated="3.5")
    rows += rows_of("quick", (3.0, 3.1, 3.2), minutes=9.9)
    names = ["glow", "bplf", "quick"]
    glow, bplf, quick = lines(rows, names)
    assert glow.difference is None
    assert bplf.difference.mean == pytest.approx(-0.1)
    assert bplf.difference.p_value < 0.01
    assert glow.bits.half_width > 1
    assert (glow.answered, bplf.answered, quick.answered) == (True, True, False)
    heading, *cells = table([glow, bplf, quick], OURS)
    # Side by side with the others, never in their column.
    assert heading[1:4] == ["bits/dim", "bits/dim of truncated images", "bits/dim less the first's"]
    assert cells[0][2] == ""
    assert cells[1][2].startswith("3.5000")
    assert not any(cell.startswith("3.5") for row in cells for cell in row[:2] + row[3:])
    assert cells[1][3].startswith("-0.1000 ± 0.0")
    assert cells[2][0] == "quick †"
    assert len(footnotes([glow], OURS)) == 3
    assert len(footnotes([glow, bplf, quick], OURS)) == 5
    assert "| 1,234 |" in markdown("t", [table([glow], OURS)], ["n"])
    assert table([glow], Subject("4", "drawn_faces"))[1][2] == "100.0"
    assert r"50\% of a\_b $\pm$ 1" in latex("50% of a_b ± 1", [table([glow], OURS)], [])


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


@pytest.mark.parametrize("budget", ["steps", "flops", "parameters"])
def test_a_reference_of_few_minutes_answers_nothing(budget):
    columns = {"budget": budget, "amount": "1000"}
    short = rows_of("glow", (4.0, 5.0, 6.0), 6.0, **columns)
    bplf = rows_of("bplf", (3.0, 4.0, 5.0), 30.0, **columns)
    assert [line.answered for line in lines(short + bplf, ["glow", "bplf"])] == [False, False]
    assert not contrast(short + bplf, Contrast("?", "bplf", "glow")).answered
    # One such seed of it is enough, unless it is no pair.
    glow = rows_of("glow", (4.0, 5.0, 6.0, 7.0), 12.0, **columns)
    glow[3]["minutes"] = "6.0"
    assert [line.answered for line in lines(glow + bplf, ["glow", "bplf"])] == [False, True]
    bplf += rows_of("bplf", (3.0, 4.0, 5.0, 6.0), 30.0, **columns)[3:]
    assert [line.answered for line in lines(glow + bplf, ["glow", "bplf"])] == [False, False]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("cores", "1"),
        ("at_once", "2"),
        ("machine", "Linux aarch64"),
        ("cores", "2, then 1"),
    ],
)
def test_runs_of_other_cores_or_machines_are_no_pairs_at_equal_time(column, value):
    columns = {"budget": "minutes", "amount": "10"}
    rows = rows_of("glow", (4.0, 5.0, 6.0, 7.0), **columns)
    rows += rows_of("bplf", (3.9, 4.9, 5.9, 1.0), **columns)
    rows[-1][column] = value
    glow, bplf = lines(rows, ["glow", "bplf"])
    assert (glow.unlike, bplf.unlike) == ((), (3,))
    assert bplf.difference.count == 3
    assert bplf.difference.mean == pytest.approx(-0.1)
    assert table([glow, bplf], OURS)[2][0] == "bplf §"
    (note,) = [note for note in footnotes([glow, bplf], OURS) if note.startswith("§")]
    assert note.endswith("bplf seed 3.")
    assert contrast(rows, Contrast("?", "bplf", "glow")).unlike == (3,)
    # By steps, the machine does not matter.
    for row in rows:
        row["budget"] = "steps"
    assert lines(rows, ["glow", "bplf"])[1].difference.count == 4


def test_a_run_that_changed_its_cores_is_like_none():
    columns = {"budget": "minutes", "amount": "10", "cores": "2, then 1"}
    (glow,) = lines(rows_of("glow", (4.0, 5.0, 6.0), **columns), ["glow"])
    assert glow.unlike == (0, 1, 2)
    assert not glow.answered


def curve_of(*bits):
    return " ".join(f"{100 * i}:{i / 2:.3f}:{value}" for i, value in enumerate(bits, start=1))


def test_when_a_method_had_reached_the_first_ones_figure():
    rows = rows_of("glow", (4.0, 4.0), curve=curve_of(6.0, 5.0, 4.0))
    rows += rows_of("quick", (3.0, 3.0), curve=curve_of(4.5, 3.9, 3.0))
    rows[-1]["curve"] = curve_of(4.0, 3.9, 3.0)
    rows += rows_of("slow", (4.1, 4.1), curve=curve_of(6.0, 5.0, 4.1))
    rows += rows_of("some", (4.1, 3.9), curve=curve_of(6.0, 5.0, 4.1))
    rows[-1]["curve"] = curve_of(6.0, 5.0, 3.9)
    rows += rows_of("untold", (3.0, 3.0))
    of = lines(rows, ["glow", "quick", "slow", "some", "untold"])
    heading, *cells = table(of, OURS)
    at = heading.index("minutes to the first's final bits/dim")
    assert heading[at + 1] == "steps to it"
    told = {row[0].split()[0]: row[at : at + 2] for row in cells}
    assert told["glow"] == ["1.5", "300"]
    assert told["quick"][0].startswith("0.8 ± ")  # after 1.0 and 0.5 minutes
    assert told["quick"][1].startswith("150 ± ")
    assert told["slow"] == told["untold"] == ["", ""]
    assert told["some"] == ["1.5 (1 of 2 seeds)", "300 (1 of 2 seeds)"]
    # Steps are the same on any machine, minutes are not.
    for row in rows[2:4]:
        row["machine"] = "Linux aarch64"
    quick = lines(rows, ["glow", "quick"])[1]
    assert quick.reached.minutes is None
    assert quick.reached.steps.mean == 150


def test_failed_missing_and_unfit_methods_have_a_row():
    rows = rows_of("glow", (4.0, 5.0, 6.0)) + rows_of("bplf", (4.0, 5.0, 6.0))
    rows[-1] |= {"failed": "exit code 3, see x.log", "bits_per_dim": ""}
    rows += rows_of("broken", ("",), failed="exit code 1, see y.log")
    names = ["glow", "bplf", "broken", "later", "pca"]
    of, missing = lines(rows, names), absent(rows, names, {"pca": "sides of 28"})
    assert missing == {
        "broken": "failed: exit code 1, see y.log",
        "later": "no run yet",
        "pca": "left out: sides of 28",
    }
    cells = table(of, OURS, missing)
    assert [row[0] for row in cells[1:]] == ["glow", "bplf †", "broken", "later", "pca"]
    assert len({len(row) for row in cells}) == 1
    notes = footnotes(of, OURS)
    assert "bplf, seed 2 failed: exit code 3, see x.log." in notes
    assert "| later | no run yet |" in markdown("t", [cells], notes)
    # The paper's figure stands there, too.
    heading, *cells = table(of, Subject("3", "mnist"), {"bplf_3x3": "no run yet"})
    (row,) = [row for row in cells if row[0] == "bplf_3x3"]
    assert (row[1], row[heading.index("the paper's figure")]) == ("no run yet", "1.14")


def test_a_run_that_went_back_says_so():
    rows = rows_of("glow", (4.0, 5.0, 6.0), rollbacks="0")
    rows[1]["rollbacks"] = "2"
    (glow,) = lines(rows, ["glow"])
    assert glow.rollbacks == {1: 2}
    assert table([glow], OURS)[1][0] == "glow ¶"
    (note,) = [note for note in footnotes([glow], OURS) if note.startswith("¶")]
    assert "glow, seed 1, went back 2 times" in note
    assert r"glow \P{}" in latex("t", [table([glow], OURS)], [])


def test_the_last_rank_stands_beside_the_figures():
    rows = rows_of("svd_none", (4.0,)) + rows_of("svd_anneal", (4.0, 4.1), svd_rank="16")
    heading, *cells = table(lines(rows, ["svd_none", "svd_anneal"]), OURS)
    at = heading.index("last rank of training images")
    assert [row[at] for row in cells] == ["", "16"]


def test_differences_that_answer_a_question_have_a_table():
    names = ["glow", "bplf_3x3", "bplf_3x3_no_g0_actnorm", "bplf_3x3_svd"]
    rows = rows_of("glow", (4.0, 5.0, 6.0)) + rows_of("bplf_3x3", (3.9, 4.9, 5.91))
    rows += rows_of("bplf_3x3_no_g0_actnorm", (3.8, 4.8), parameters="617")
    for row, bits in zip(rows, (4.0, 5.0, 6.0, 3.9, 4.9, 5.91), strict=False):
        row["curve"] = curve_of(9.0, bits + 0.05, bits)
    heading, *cells = contrast_table(rows, names)
    assert heading[:3] == ["question", "method", "less"]
    told = {(row[1], row[2]): row[3:] for row in cells}
    assert told["bplf_3x3", "glow"][0].startswith("-0.0967 ± ")
    assert told["bplf_3x3", "glow"][2:] == ["3", "1.0", "200", "100 %"]
    assert told["bplf_3x3 †", "bplf_3x3_no_g0_actnorm"][0] == "+0.1000"
    assert told["bplf_3x3 †", "bplf_3x3_no_g0_actnorm"][-1] == "200 %"
    assert told["bplf_3x3_svd †", "glow"] == ["no pair of runs", *[""] * 5]
    text = markdown("t", [table(lines(rows, names), OURS), [heading, *cells]], ["n"])
    assert text.count("\n| --- |") == 2
    assert "is it g0, or would an ActNorm do?" in text
    notes = footnotes(lines(rows[:6], names), OURS, [heading, *cells])
    assert any(note.startswith("† not answered") for note in notes)
    # Without such differences there is no second table.
    assert "question" not in markdown("t", [table(lines(rows, names), OURS), [heading]], [])
    assert latex("t", [[["a"], ["1"]], [["b"], ["2"]]], []).count("tabular}") == 4


def test_the_paper_stands_beside_and_its_contradictions_are_marked():
    rows = rows_of("glow", (1.1, 1.2, 1.3)) + rows_of("bplf_3x3", (1.0, 1.1, 1.2))
    both = lines(rows, ["glow", "bplf_3x3"])
    subject = Subject("3", "mnist")
    heading, glow, bplf, *others = table(both, subject)
    assert heading[1:4] == ["bits/dim", "the paper's figure", "the paper's, of truncated images"]
    assert (glow[2:4], bplf[2:4]) == (["1.18 ‡", ""], ["1.14", ""])
    # Those that were not asked for, and what the paper has of truncated images in its own column.
    assert {row[0]: row[1:4] for row in others}["glow_svd"] == ["not asked for", "", "1.16"]
    assert len(others) == 4
    notes = footnotes(both, subject)
    assert "‡ glow: 1.18 bits/dim in table 3, 1.24 in table 5." in notes
    assert any("2000 epochs" in note for note in notes)
    assert r"1.18 \ddag{}" in latex("t", [table(both, subject)], notes)
    heading, glow, *others = table(both[:1], Subject("4", "cifar10"))
    assert heading[1:4] == ["bits/dim", "log-likelihood in nats", "the paper's figure"]
    assert glow[3] == "4513.2 ‡"
    assert {row[0]: row[1:4] for row in others}["Flow++"] == ["not implemented", "", "4492.3 ‡"]
    assert len({len(row) for row in (heading, glow, *others)}) == 1


def test_the_papers_order_is_looked_for():
    rows = rows_of("glow", (1.3, 1.4, 1.5)) + rows_of("bplf_3x3", (1.2, 1.31, 1.4))
    rows += rows_of("bplf_3x3_1x1", (1.1, 1.2, 1.31))  # the paper has it behind the bigger one
    rows += rows_of("glow_svd", (1.29, 1.43, 1.49), bits_per_dim_truncated="1.1")
    rows += rows_of("bplf_3x3_svd", (1.9, 1.9, 1.9), bits_per_dim_truncated="1.0")
    for row, noise in zip(rows[-6:], (0.0, 0.01, 0.0, 0.0, 0.0, 0.01), strict=True):
        row["bits_per_dim_truncated"] = str(float(row["bits_per_dim_truncated"]) + noise)
    names = ["glow", "glow_svd", "bplf_3x3", "bplf_3x3_1x1", "bplf_3x3_svd", "bplf_3x3_1x1_svd"]
    heading, plain, mixed, truncated = order_table(rows, names, Subject("3", "mnist"))
    assert heading[1:] == [
        "number", "in its order", "the other way round", "undecided", "not answered",
    ]  # fmt: skip
    assert plain == ["both without truncation", "3", "2", "1", "0", "0"]
    # bplf_3x3_svd is the paper's best; glow_svd is before glow and behind both of BPLF.
    # bplf_3x3_1x1_svd has no runs, and the paper does not tell it from bplf_3x3.
    assert mixed[1:] == ["8", "2", "3", "1", "2"]
    assert truncated[1:] == ["3", "1", "0", "0", "2"]
    # Of faces, the paper's columns agree on most.
    faces = order_table(rows, names, Subject("3", "fer2013"))
    assert [row[1] for row in faces[1:]] == ["2", "7", "3"]
    assert len(order_table(rows, names, Subject("presets", "mnist"))) == 1
    notes = footnotes(lines(rows, names), OURS, None, faces)
    assert any("order alike" in note for note in notes)
    assert not any("order alike" in note for note in footnotes(lines(rows, names), OURS))


def test_latex_fits_on_a_page():
    cells = [["method", "minutes to the first's final bits/dim", "why"], ["a_b", "1.0 ± 0.1", "so"]]
    text = latex("t", [cells], ["50 % of it."])
    assert r"\begin{tabular}{lrl}" in text
    assert r"minutes to the\\first's final\\bits/dim\end{tabular} & why" in text
    assert r"\resizebox{" in text
    assert text.count("{") == text.count("}")
    assert r"\caption{t}" in text
    assert r"\footnotesize 50 \% of it." in text


def test_nats_are_those_of_equation_4_1():
    assert ablation_rows.nats(8.0, (2, 2, 1)) == pytest.approx(-4 * np.log(2))
