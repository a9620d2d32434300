"""docs/ablation.md says what docs/ablation_runs.csv holds."""

from tests.checkout import ROOT
from trainers import ablation_report, ablation_rows
from trainers.ablation_lines import lines
from trainers.ablation_plan import methods
from trainers.ablation_report import Subject

DOCUMENT = ROOT / "docs" / "ablation.md"


def test_the_tables_are_those_of_the_runs():
    every = ablation_rows.read(ROOT / "docs" / "ablation_runs.csv").values()
    plan = ("fer2013", "minutes", "10")
    rows = [row for row in every if (row["dataset"], row["budget"], row["amount"]) == plan]
    names = [name for name, _ in methods("questions")]
    subject = Subject("questions", "fer2013")
    answers = ablation_report.contrast_table(rows, names)
    tables = [ablation_report.table(lines(rows, names), subject), answers]
    text = ablation_report.markdown("", tables, [])
    wanted = [line for line in text.splitlines() if line.startswith("|")]
    assert len(wanted) == 2 + len(names) + 2 + len(answers) - 1
    told = DOCUMENT.read_text(encoding="utf-8").splitlines()
    assert [line for line in wanted if line not in told] == []
