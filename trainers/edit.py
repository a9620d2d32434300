"""Changes the expression of faces in photographs, whose size and surroundings stay.

python -m trainers.edit --model=runs/faces --image=me.jpg --target=happy --out=happy.jpg
python -m trainers.edit --model=runs/faces --image=me.jpg --target=sad --sweep=0,0.5,1 --out=s.png
python -m trainers.edit --model=pixel.npz --image=folder --target=sad:0.6,fear:0.4 --out=edited

A face is found, cut out, edited by the flow or the pixel model, and what changed is added to the
photograph. `--detector=none` takes a picture that is nothing but a face.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bplf_tf.files import is_pixel_model, model_path
from datasets import flags
from datasets.files import WriteError
from datasets.flags import setting

if TYPE_CHECKING:
    import numpy as np

    from trainers.editors import Editor
    from trainers.face_patches import FacePatch
    from trainers.photographs import Photograph

    Found = tuple[np.ndarray, FacePatch]

_DETECTORS = ("haar", "yunet", "mtcnn", "none")
_TOGETHER = 32  # photographs of a folder whose faces are edited at once


@dataclasses.dataclass(frozen=True)
class EditSettings:
    """What to edit and how. Each field is a flag of the same name."""

    model: str | None = setting(
        None, "A run directory or model.keras of a flow, or the .npz of a pixel model. Required."
    )
    image: str | None = setting(None, "A picture, or a folder of pictures. Required.")
    out: str | None = setting(None, "Picture to write, or folder for those of a folder. Required.")
    target: str | None = setting(
        None, "Label to show, or a mixture such as happy:0.7,surprise:0.3. Required."
    )
    source: str | None = setting(
        None, "Label that the faces show; a flow finds it out, a pixel model takes neutral."
    )
    strength: float = setting(1.0, "0 changes nothing, 1 is all of the target.")
    sweep: list[str] = dataclasses.field(
        default_factory=list,
        metadata={"help": "Several strengths, side by side in one picture, such as 0,0.5,1."},
    )
    reference_neutral: str | None = setting(
        None,
        "Instead of --target, with the next flag: picture of somebody's face, neutral; or a folder "
        "of several people's. The mean of a dozen works better than one.",
    )
    reference_expressive: str | None = setting(
        None, "The same face with the expression to copy; or a folder, in the same order of names."
    )
    region: str | None = setting(None, "Edit nothing but eyes, mouth or face (without the rim).")
    detector: str = setting(
        "haar", f"Finds the faces: {', '.join(_DETECTORS[:-1])}; none: the picture is a face."
    )
    faces: str = setting("one", "one, and an error where there are several; largest; or all.")
    margin: float = setting(
        0.1,
        "What is cut out around a found face, as a share of its side: as the faces were cut that "
        "the model was trained on. 0.1 for what datasets.build made, about 0 for drawn faces.",
    )

    def check(self) -> None:
        """Checks what needs no model; raises `ValueError` or `FileNotFoundError`."""
        for name in ("model", "image", "out"):
            if not getattr(self, name):
                raise ValueError(f"--{name} is required")
        references = [self.reference_neutral, self.reference_expressive]
        if any(references) and not all(references):
            raise ValueError("--reference_neutral and --reference_expressive need each other")
        if bool(self.target) == all(references):
            raise ValueError("give either --target or the two references")
        for name, accepted in (
            ("detector", _DETECTORS),
            ("faces", ("one", "largest", "all")),
            ("region", (None, "eyes", "mouth", "face")),
        ):
            if getattr(self, name) not in accepted:
                given = ", ".join(str(one) for one in accepted if one)
                raise ValueError(f"--{name} must be one of {given}; got {getattr(self, name)!r}")
        if not -0.4 <= self.margin <= 2:
            raise ValueError(f"--margin must be from -0.4 to 2, got {self.margin}")
        self.strengths()
        self.wanted()
        if is_pixel_model(str(self.model)):
            if not Path(str(self.model)).exists():
                raise FileNotFoundError(f"no pixel model at {self.model}")
        else:
            model_path(str(self.model))
        self._check_places()

    def _check_places(self) -> None:
        image, out = Path(str(self.image)), Path(str(self.out))
        if not image.exists():
            raise FileNotFoundError(f"--image={image}: there is no such file or folder")
        if image.is_dir():
            if out.exists() and not out.is_dir():
                raise ValueError(f"--out={out} must be a folder, as --image is")
            if out.resolve() == image.resolve():
                raise ValueError(
                    "--out must be another folder than --image: nothing is overwritten"
                )
        elif out.is_dir() or not out.parent.is_dir():
            raise ValueError(f"--out={out} must be a file in a folder that is there")
        elif out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"):
            raise ValueError(f"--out={out} must end in .png, .jpg, .webp, .bmp or .tif")
        elif out.resolve() == image.resolve():
            raise ValueError("--out must be another file than --image: nothing is overwritten")

    def strengths(self) -> list[float]:
        """Of `sweep`, or the one strength."""
        try:
            values = [float(one) for one in self.sweep] or [self.strength]
        except ValueError:
            raise ValueError(f"--sweep must be numbers, got {','.join(self.sweep)}") from None
        if not all(map(math.isfinite, values)):
            raise ValueError(f"strengths must be finite numbers, got {values}")
        return values

    def wanted(self) -> str | dict[str, float] | None:
        """The target: a label, or the shares of a mixture."""
        if not self.target or ":" not in self.target:
            return self.target
        shares: dict[str, float] = {}
        for part in self.target.split(","):
            name, _, share = part.partition(":")
            try:
                shares[name.strip()] = float(share)
            except ValueError:
                raise ValueError(
                    f"--target={self.target}: a mixture is like happy:0.7,surprise:0.3"
                ) from None
        if not all(math.isfinite(s) and s >= 0 for s in shares.values()) or not sum(
            shares.values()
        ):
            raise ValueError(f"--target={self.target}: shares must be 0 or more, and not all 0")
        return shares


def main(settings: EditSettings) -> int:
    """Edits and writes; returns the exit code."""
    try:
        settings.check()
        from trainers.editors import Wish, load_editor
        from trainers.photographs import pictures_in, read_photograph

        image, out = Path(str(settings.image)), Path(str(settings.out))
        wish = Wish(settings.wanted(), settings.source, settings.strengths(), settings.region)
        detector = _detector(settings.detector)
        references = [
            [
                _patches(read_photograph(one), detector, settings, which="one")[0]
                for one in (pictures_in(Path(path)) if Path(path).is_dir() else [Path(path)])
            ]
            for path in (settings.reference_neutral, settings.reference_expressive)
            if path
        ]
        editor = load_editor(str(settings.model), wish, references)
        if not image.is_dir():
            failed = edit_photographs([(image, out)], editor, detector, settings)
            if failed:
                raise ValueError(failed[0])
            return 0
        paths = pictures_in(image)
        if not paths:
            raise ValueError(f"--image={image} has no pictures")
        out.mkdir(parents=True, exist_ok=True)
    except WriteError:
        raise
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    suffix = ".png" if len(wish.strengths) > 1 else ""  # after the old one: names stay different
    places = [(path, out / (path.name + suffix)) for path in paths]
    failed = []
    for start in range(0, len(places), _TOGETHER):
        failed += edit_photographs(places[start : start + _TOGETHER], editor, detector, settings)
    if not failed:
        return 0
    print(f"{len(failed)} of {len(places)} pictures were not edited:", file=sys.stderr)
    for line in failed:
        print(f"  {line}", file=sys.stderr)
    return flags.USER_ERROR


def edit_photographs(
    places: list[tuple[Path, Path]], editor: Editor, detector: Any, settings: EditSettings
) -> list[str]:
    """Edits the faces of some photographs together and writes each that could be edited.

    Args:
      places: where to read and where to write.
      editor: the model.
      detector: finds the faces, or None: pictures are faces.
      settings: which faces, and what is shown around them.

    Returns:
      a line for each photograph that could not be read or has not the faces wanted.

    Raises:
      WriteError: a file cannot be written.
    """
    import numpy as np

    from trainers.photographs import read_photograph, write_photograph

    found: list[tuple[Photograph, list[Found], Path]] = []
    failed = []
    for path, out in places:
        try:
            photograph = read_photograph(path)
            found.append((photograph, _patches(photograph, detector, settings), out))
        except ValueError as error:
            failed.append(f"{path}: {error}")
    if not found:
        return failed
    before = np.stack(
        [patch.cut(pixels, editor.image_shape) for _, some, _ in found for pixels, patch in some]
    )
    after = editor.edit(before)
    place = 0
    for photograph, some, out in found:
        count = len(some)
        patches = [patch for _, patch in some]
        strip = _put_back(photograph, patches, before[place:], after[place:])
        place += count
        write_photograph(photograph, strip, out)
        print(f"wrote {out}" + (f", {count} faces edited" if count > 1 else ""), flush=True)
    return failed


def _patches(
    photograph: Photograph, detector: Any, settings: EditSettings, which: str | None = None
) -> list[Found]:
    """The faces of a photograph, each with its pixels; raises `NoFaceError`, a `ValueError`."""
    from trainers.face_patches import find_patches, whole_picture

    pixels = photograph.pixels
    if detector is None:
        return [(pixels, whole_picture(pixels))]
    patches = find_patches(pixels, detector, which or settings.faces, settings.margin)
    return [(pixels, patch) for patch in patches]


def _put_back(
    photograph: Photograph, patches: list[FacePatch], before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """The photograph at every strength, side by side."""
    import numpy as np

    edited = []
    for strength in range(after.shape[1]):
        pixels = photograph.pixels
        for i, patch in enumerate(patches):
            pixels = patch.put_back(pixels, before[i], after[i, strength])
        edited.append(pixels)
    return np.hstack(edited)


def _detector(name: str) -> Any:
    if name == "none":
        return None
    from datasets.emotionset.detectors import make_detector
    from datasets.emotionset.settings import CleaningSettings

    return make_detector(CleaningSettings(detector=name), crops=False)


if __name__ == "__main__":
    flags.run(EditSettings, main)
