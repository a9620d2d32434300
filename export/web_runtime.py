"""LiteRT.js, which runs a TFLite model in the browser, from npm at fixed versions and checksums."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

_SECONDS = 300
_LICENCE = (
    Path(__file__).parents[1] / "LICENSE"
)  # the packages name Apache-2.0 and ship no text of it


class RuntimeUnavailable(RuntimeError):
    """LiteRT.js could not be had; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Package:
    """A package of npm, and which of its files a page needs."""

    name: str
    version: str
    integrity: str  # npm's: the algorithm, a hyphen, and the digest in base64
    files: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The name without npm's scope."""
        return self.name.rpartition("/")[2]


# Two builds of the same runtime: the page takes the second where relaxed SIMD is missing.
_BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal")
PACKAGES = (
    Package(
        "@litertjs/core",
        "2.5.3",
        "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        ("package.json", "dist/index.js")
        + tuple(f"wasm/{build}.{suffix}" for build in _BUILDS for suffix in ("js", "wasm")),
    ),
    Package(
        "@litertjs/wasm-utils",
        "2.5.3",
        "sha512-4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        ("package.json", "dist/index.js"),
    ),
)


def check_npm() -> None:
    """Raises `RuntimeUnavailable` if there is no npm."""
    if shutil.which("npm") is None:
        names = " and ".join(f"{package.name} {package.version}" for package in PACKAGES)
        raise RuntimeUnavailable(
            f"the page needs {names}, which npm fetches, and there is no npm here: install Node.js"
        )


def fetch_runtime(folder: Path) -> None:
    """Writes the packages' files into `folder`, each package in one of its own, and their licence.

    Raises:
      RuntimeUnavailable: if there is no npm, npm fails, or what it fetched is not what was pinned.
    """
    check_npm()
    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            archive = _fetch(package, Path(scratch))
            _check(package, archive)
            _unpack(package, archive, folder / package.folder)
    shutil.copyfile(_LICENCE, folder / "LICENSE")


def _fetch(package: Package, scratch: Path) -> Path:
    target = scratch / package.folder
    target.mkdir()
    wanted = f"{package.name}@{package.version}"
    command = ["npm", "pack", "--silent", f"--pack-destination={target}", wanted]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RuntimeUnavailable(f"npm did not fetch {wanted} in {_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout or "it said nothing").strip().splitlines()
        raise RuntimeUnavailable(f"npm could not fetch {wanted}: {lines[-1]}") from error
    (archive,) = target.glob("*.tgz")
    return archive


def _check(package: Package, archive: Path) -> None:
    algorithm, _, wanted = package.integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if found != wanted:
        raise RuntimeUnavailable(
            f"{package.name} {package.version} from npm is not what this project was tested with: "
            f"its {algorithm} is {found}, expected {wanted}"
        )


def _unpack(package: Package, archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        for file in package.files:
            member = packed.extractfile(f"package/{file}")
            if member is None:
                raise RuntimeUnavailable(f"{package.name} {package.version} has no file {file}")
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            with member, target.open("wb") as out:
                shutil.copyfileobj(member, out)
