"""Fits the pixel model to pairs and measures it on people and pictures it has not seen.

python -m trainers.synthesis --out=pixel.json --pictures=pixel_pictures --save=pixel.npz
python -m trainers.synthesis --model=runs/drawn_faces/model.keras --ridge=cross_validation

In-dataset is other people in the same kind of picture. Out-of-dataset is, for drawn faces, other
people in other styles and with heads that are not aligned, and for EmotionSet, drawn faces. Beside
the pixel model stand two editors that know nothing: one returns its input, one pastes the mean face
of the expression; and the flow, where a model is given.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.files import model_path
from datasets import flags
from datasets.files import write_json
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from trainers import ridge
from trainers.settings import choice

if TYPE_CHECKING:
    import numpy as np

    from bplf_tf import BPLF, PixelSynthesis
    from datasets.pairs import FacePairs
    from trainers.strip_editors import StripEditor

IN_DATASET = "in-dataset"
_SHOWN = 4  # people in a picture


@dataclasses.dataclass(frozen=True)
class SynthesisSettings:
    """What to fit and what to measure. Each field is a flag of the same name."""

    dataset: str = setting("drawn_faces", "Pairs of drawn_faces or emotionset.")
    data_path: str | None = setting(None, "emotionset: what datasets.build built.")
    pairs: int = setting(300, "Fit every expression to at most so many pairs.")
    test_people: int = setting(100, "Measure on at most so many people of the test split.")
    image_size: int | None = setting(None, "Height and width; by default the flow's, or 48.")
    channels: int | None = setting(None, "1 or 3; by default the flow's, or 1.")
    ridge: str = setting("0.4", ridge.HELP)
    window: int = setting(1, "Side of the square of input pixels that an output pixel sees.")
    kernel: str = setting("linear", "linear, polynomial or rbf.")
    shared_channels: bool = setting(False, "One set of weights for all channels of a position.")
    unpaired: bool = setting(False, "Fit to moments, as if it were not known who is who.")
    model: str | None = setting(None, "A flow to measure too: a run directory or model.keras.")
    out: str | None = setting(None, "JSON file to write the figures to.")
    pictures: str | None = setting(None, "Folder to write strips of edited faces to.")
    save: str | None = setting(None, "File ending in .npz to write the pixel model to.")

    def check(self) -> None:
        """Checks what needs neither data nor TensorFlow; raises `ValueError` naming the flag."""
        choice("dataset", self.dataset, ("drawn_faces", "emotionset"))
        for name in ("pairs", "test_people", "image_size"):
            value = getattr(self, name)
            if value is not None and value < (2 if name == "pairs" else 1):
                raise ValueError(f"--{name} is too small: {value}")
        if self.save and Path(self.save).suffix != ".npz":
            raise ValueError(f"--save must end in .npz, got {self.save!r}")
        for name in ("out", "save"):
            value = getattr(self, name)
            if value and not Path(value).parent.is_dir():
                raise FileNotFoundError(f"--{name}={value}: there is no folder for it")
        if self.model:
            model_path(self.model)
        self.pixel_model()

    def pixel_model(self) -> PixelSynthesis:
        """The model that the flags describe, not fitted; raises `ValueError`."""
        from bplf_tf.pixel_synthesis import PixelSynthesis

        return PixelSynthesis(
            ridge=ridge.ridge_of(self.ridge),
            window=self.window,
            kernel=self.kernel,
            shared_channels=self.shared_channels,
        )


def main(settings: SynthesisSettings) -> int:
    """Fits, measures, reports; returns the exit code."""
    try:
        settings.check()
        flow = _load_flow(settings)
        train, tests = load_data(settings, flow)
        pixel = fit(settings, train)
        if settings.pictures:
            Path(settings.pictures).mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    editors = make_editors(train, pixel, flow)
    results = {name: measure(editors, test) for name, test in tests.items()}
    record = {
        "dataset": settings.dataset,
        "pairs": {name: len(train.of(name)) for name in train.expressions},
        "ridges": pixel.ridges,
        "pixel_model_bytes": pixel.size_bytes,
        "pixel_model_parameters": pixel.parameters,
        "flow": settings.model,
        "flow_parameters": flow.count_params() if flow else None,
        "provenance": train.provenance,
        "results": results,
    }
    for name, result in results.items():
        print(table(name, len(tests[name]), result))
    lambdas = ", ".join(
        f"{label} {'moments' if ridge is None else f'{ridge:g}'}"
        for label, ridge in pixel.ridges.items()
    )
    print(f"lambda: {lambdas}\n{pixel.parameters:,} weights, {pixel.size_bytes:,} bytes")
    _write(settings, record, pixel, editors, tests)
    return 0


def load_data(
    settings: SynthesisSettings, flow: BPLF | None
) -> tuple[FacePairs, dict[str, FacePairs]]:
    """Pairs to fit, at most `pairs` of each expression, and held-out ones by what they are.

    Raises:
      ValueError: there are no such pairs, or they do not fit the flow.
      FileNotFoundError: there is no such data.
    """
    import numpy as np

    from datasets.pairs import load_pairs

    size, channels = settings.image_size, settings.channels
    if flow:
        height, width, flow_channels = flow.config.image_shape
        if height != width or size not in (None, height) or channels not in (None, flow_channels):
            raise ValueError(f"the flow's images are {height}x{width}x{flow_channels}")
        size, channels = height, flow_channels
    drawn = settings.dataset == "drawn_faces"
    given: dict[str, Any] = {"image_size": size, "channels": channels}
    people = settings.test_people

    train = load_pairs(
        settings.dataset,
        "train",
        settings.data_path,
        **given,
        people=settings.pairs if drawn else None,
    )
    train = train.chosen(
        np.sort(
            np.concatenate(
                [
                    np.flatnonzero(train.labels == train.classes.index(name))[: settings.pairs]
                    for name in train.expressions
                ]
            )
        )
    )
    # What no pair was fitted to cannot be measured.
    tests = {
        IN_DATASET: load_pairs(settings.dataset, "test", settings.data_path, **given, people=people)
    }
    if drawn:
        for style in ("pencil", "painting"):
            tests[f"out-of-dataset: {style}"] = load_pairs(
                "drawn_faces", "test", **given, people=people, style=style
            )
        tests["out-of-dataset: not aligned"] = load_pairs(
            "drawn_faces", "test", **given, people=people, align=False
        )
    else:
        height, _, channels = train.image_shape
        tests["out-of-dataset: drawn faces"] = load_pairs(
            "drawn_faces", "test", image_size=height, channels=channels, people=people
        )
    known = [train.classes.index(name) for name in train.expressions]
    return train, {
        name: test.chosen(np.flatnonzero(np.isin(test.labels, known)))
        for name, test in tests.items()
    }


def fit(settings: SynthesisSettings, train: FacePairs) -> PixelSynthesis:
    """The pixel model of the flags, fitted to every expression.

    Raises:
      ValueError: there are too few pairs of an expression, or they are not aligned.
    """
    parts = {name: train.of(name) for name in train.expressions}
    neutral = {name: part.neutral for name, part in parts.items()}
    expressive = {name: part.expressive for name, part in parts.items()}
    model = settings.pixel_model()
    if settings.unpaired:
        return model.fit_unpaired(neutral, expressive)
    return model.fit(neutral, expressive, {name: part.people for name, part in parts.items()})


def make_editors(
    train: FacePairs, pixel: PixelSynthesis, flow: BPLF | None
) -> dict[str, StripEditor]:
    """Editors by their names, the two that know nothing before the others."""
    from trainers.strip_editors import flow_editor, null_editors, pixel_editor

    means = {name: train.of(name).expressive for name in train.expressions}
    editors = {**null_editors(means), "pixel model": pixel_editor(pixel)}
    if flow:
        editors["flow"] = flow_editor(flow)
    return editors


def measure(editors: dict[str, StripEditor], test: FacePairs) -> dict[str, Any]:
    """Every metric of every editor, and its PSNR of each expression, with confidence intervals."""
    from bplf_tf.metrics.pairs import METRICS, mean_over_people

    of_expressions = {name: test.labels == test.classes.index(name) for name in test.expressions}
    results: dict[str, Any] = {}
    for name, edit in editors.items():
        edited = _edit_all(edit, test)
        scores = {key: metric(edited, test.expressive) for key, metric in METRICS.items()}
        results[name] = {
            key: mean_over_people(values, test.people) for key, values in scores.items()
        }
        results[name]["psnr_of"] = {
            expression: mean_over_people(scores["psnr"][chosen], test.people[chosen])
            for expression, chosen in of_expressions.items()
        }
    return results


def _edit_all(edit: StripEditor, test: FacePairs) -> np.ndarray:
    import numpy as np

    edited = np.empty_like(test.expressive)
    for name in test.expressions:
        chosen = test.labels == test.classes.index(name)
        edited[chosen] = edit(test.neutral[chosen], name, (1.0,))[:, 0]
    return edited


def table(name: str, pairs: int, result: dict[str, Any]) -> str:
    """The figures of one test, a line for each editor."""
    from bplf_tf.metrics.confidence import shown

    lines = [f"{name}, {pairs} pairs"]
    lines.append(f"  {'':<20}{'PSNR, dB':>16}{'SSIM':>16}{'MSE':>18}")
    for editor, figures in result.items():
        cells = [
            shown(figures[key], digits) for key, digits in (("psnr", 2), ("ssim", 3), ("mse", 0))
        ]
        lines.append(f"  {editor:<20}{cells[0]:>16}{cells[1]:>16}{cells[2]:>18}")
    return "\n".join(lines)


def picture(editors: dict[str, StripEditor], test: FacePairs) -> Any:
    """A row for each expression: neutral and true faces of some people, then each editor's."""
    from trainers.image_grid import image_grid

    shown = {name: edit for name, edit in editors.items() if name in ("pixel model", "flow")}
    rows = []
    for expression in test.expressions:
        some = test.of(expression, _SHOWN)
        edited = [edit(some.neutral, expression, (1.0,))[:, 0] for edit in shown.values()]
        rows.append((expression, [some.neutral, some.expressive, *edited]))
    return image_grid(rows, ("neutral", "true", *shown))


def _load_flow(settings: SynthesisSettings) -> BPLF | None:
    import_tensorflow()
    if not settings.model:
        return None
    from bplf_tf import load_model

    flow = load_model(settings.model)
    if "neutral" not in flow.config.classes:
        raise ValueError(f"--model={settings.model} has no label neutral: {flow.config.classes}")
    return flow


def _write(
    settings: SynthesisSettings,
    record: dict[str, Any],
    pixel: PixelSynthesis,
    editors: dict[str, StripEditor],
    tests: dict[str, FacePairs],
) -> None:
    if settings.save:
        pixel.save(settings.save)
        print(f"wrote {settings.save}")
    if settings.pictures:
        from trainers.image_grid import save_png

        for name, test in tests.items():
            path = Path(settings.pictures) / f"{name.replace(': ', '_').replace(' ', '_')}.png"
            save_png(picture(editors, test), path)
            print(f"wrote {path}")
    if settings.out:
        write_json(Path(settings.out), record)
        print(f"wrote {settings.out}")


if __name__ == "__main__":
    flags.run(SynthesisSettings, main)
