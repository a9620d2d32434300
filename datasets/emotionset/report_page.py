"""`report.html`: one page that needs nothing from elsewhere but the pictures beside it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bplf_tf.config import EMOTIONS

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; }
table { border-collapse: collapse; margin: .6em 0 1.4em; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #ccc; padding: .15em .6em; text-align: right; }
th:first-child, td:first-child, td.text { text-align: left; }
img { image-rendering: pixelated; max-width: 100%; }
.note { color: #444; max-width: 60em; }
"""


def page(content: Mapping[str, Any]) -> str:
    """The page for what `report.describe` returns, with the list of pictures."""
    everything = content["all"]
    body = [
        "<h1>EmotionSet</h1>",
        _paragraph(
            f"{everything['kept']:,} of {everything['read']:,} images were kept, from "
            f"{', '.join(source['title'] for source in content['sources'].values())}."
        ),
        _proof(content["proof"]),
        "<h2>Splits</h2>",
        _counts_table(everything["splits"], "split"),
        "<h2>Before and after each step</h2>",
        "<h3>All sources</h3>",
        _counts_table(everything["steps"], "after step"),
        *_sources(content["sources"], content["settings"]["steps"]),
        "<h2>What was dropped, and why</h2>",
        _counts_table(
            {
                f"{reason} (step {one['step']})": one["labels"]
                for reason, one in everything["dropped"].items()
            },
            "reason",
        ),
        _paragraph("Every image is listed, with its reason, in images.csv."),
        "<h2>Exact copies among all that was read</h2>",
        _copies(content["exact_copies"]),
        *_paper(content["paper"]),
        "<h2>Pictures</h2>",
        *(
            f'<h3>{_text(one["title"])}</h3>\n<img src="{_text(one["file"])}" alt="">'
            for one in content["pictures"]
        ),
        "<h2>Licences and citations</h2>",
        *_licences(content["sources"]),
        "<h2>Settings</h2>",
        _settings({**content["files"], **content["settings"], **content["versions"]}),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"<title>EmotionSet</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _sources(sources: Mapping[str, Any], steps: Sequence[str]) -> Iterable[str]:
    for source in sources.values():
        yield f"<h3>{_text(source['title'])}</h3>"
        yield _counts_table(source["steps"], "after step")
        yield _paragraph("Share of the images that come to a step and are kept by it:")
        yield _table(
            ("step", *EMOTIONS),
            [
                (step, *(_share(source["retention"][step].get(label)) for label in EMOTIONS))
                for step in steps
            ],
        )


def _paper(paper: Mapping[str, Any]) -> Iterable[str]:
    yield "<h2>Beside the paper</h2>"
    yield _paragraph("Table 1: images of each source as it was read, before any cleaning.")
    rows: list[Sequence[Any]] = []
    for row in paper["table_1"]:
        name = row["source"] if row["split"] == "all" else f"{row['source']}, {row['split']}"
        rows += [
            _with_sum(f"{name}: {kind}", row[kind])
            for kind in ("here", "paper", "difference", "official")
            if kind in row
        ]
    yield _table(("", *EMOTIONS, "sum"), rows)
    yield _paragraph("Table 2: images that are kept, of all sources together.")
    table = paper["table_2"]
    yield _table(
        ("", *EMOTIONS, "sum"),
        [_with_sum(kind, table[kind]) for kind in ("here", "paper", "difference")],
    )
    for name, text in paper["explanations"].items():
        yield _paragraph(f"{name}: {text}")
    if paper["missing_sources"]:
        yield _paragraph(f"Not given to this build: {', '.join(paper['missing_sources'])}.")


def _licences(sources: Mapping[str, Any]) -> Iterable[str]:
    for source in sources.values():
        yield f"<h3>{_text(source['title'])}</h3>"
        for name in ("licence", "citation", "address"):
            yield _paragraph(f"{name.capitalize()}: {source[name]}")


def _proof(proof: Mapping[str, int]) -> str:
    return _paragraph(
        f"No image and no named person is in two splits: {proof['kept']:,} kept images were "
        f"compared ({proof['images']:,} different originals, {proof['pictures']:,} different "
        f"pictures, {proof['people']:,} named people)."
    )


def _copies(found: Mapping[str, Mapping[str, int]]) -> str:
    columns = ("groups", "images", "conflicting_labels", "across_splits")
    return _table(
        ("", "groups", "images", "groups with different labels", "groups across splits"),
        [(name, *(row[column] for column in columns)) for name, row in found.items()],
    )


def _counts_table(rows: Mapping[str, Mapping[str, int]], what: str) -> str:
    labels = list(EMOTIONS)
    labels += sorted({label for row in rows.values() for label in row} - set(labels))
    return _table(
        (what, *labels, "sum"),
        [
            (name, *(row.get(label, 0) for label in labels), sum(row.values()))
            for name, row in rows.items()
        ],
    )


def _with_sum(name: str, row: Mapping[str, int]) -> Sequence[Any]:
    return (name, *(row[label] for label in EMOTIONS), sum(row.values()))


def _settings(settings: Mapping[str, Any]) -> str:
    rows = [(name, _said(value)) for name, value in settings.items()]
    return _table(("", ""), rows, text=True)


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]], text: bool = False) -> str:
    cell = '<td class="text">' if text else "<td>"
    lines = ["".join(f"<th>{_text(head)}</th>" for head in heads)]
    lines += ["".join(f"{cell}{_text(value)}</td>" for value in row) for row in rows]
    return "<table>" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}"


def _paragraph(text: str) -> str:
    return f'<p class="note">{_text(text)}</p>'


def _text(value: Any) -> str:
    return html.escape(f"{value:,}" if isinstance(value, int) else str(value))
