"""Files of a fixture in memory, spoiled at random, and written as a folder or as an archive."""

import io
import os
import random
import string
import tarfile
import zipfile
from pathlib import Path

Tree = dict[str, bytes]  # contents by names


def read_tree(folder: Path) -> Tree:
    """All files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def mutate(tree: Tree, rng: random.Random) -> Tree:
    """A copy in which one to four files are spoiled, renamed, moved or gone."""
    tree = dict(tree)
    for _ in range(rng.randint(1, 4)):
        if not tree:
            break
        name = rng.choice(sorted(tree))
        kind = rng.randrange(8)
        if kind <= 1:
            tree[name] = flipped(tree[name], rng)
        elif kind == 2:
            tree[name] = tree[name][: rng.randrange(len(tree[name]) + 1)]
        elif kind == 3:
            place = rng.randrange(len(tree[name]) + 1)
            tree[name] = tree[name][:place] + rng.randbytes(rng.randint(1, 40)) + tree[name][place:]
        elif kind == 4:
            tree[name] = rng.choice([b"", b"\0" * 100, b"\n", rng.randbytes(300)])
        elif kind == 5:
            del tree[name]
        else:
            new = renamed(name, rng)
            # What replaces another file has that file's name and cannot be told from it.
            if new not in tree and not clashes(new, tree):
                tree[new] = tree.pop(name)
    return tree


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Some bytes are others; half of the time near the start, where the headers are."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if changed:
            end = min(len(changed), 200) if rng.random() < 0.5 else len(changed)
            changed[rng.randrange(end)] = rng.randrange(256)
    return bytes(changed)


def renamed(name: str, rng: random.Random) -> str:
    """A character of the path is another, or gone, or the file has moved to the top."""
    place = rng.randrange(len(name))
    letters = string.ascii_letters + string.digits + "._- äß"
    return rng.choice(
        [
            name[:place] + rng.choice(letters) + name[place + 1 :],
            name[:place] + name[place + 1 :] or "x",
            name.rpartition("/")[2],
            name.upper(),
        ]
    ).strip("/")


def clashes(name: str, tree: Tree) -> bool:
    """Whether a name is a folder of others, has a file for a folder, or is no plain path."""
    parts = name.split("/")
    above = {"/".join(parts[:end]) for end in range(1, len(parts))}
    plain = all(part and part not in (".", "..") for part in parts)
    return not plain or bool(above & tree.keys()) or any(o.startswith(name + "/") for o in tree)


def write_folder(tree: Tree, folder: Path, before: Tree) -> None:
    """Makes a folder that holds `before` hold `tree`."""
    for name in before.keys() - tree.keys():
        (folder / name).unlink()
    for name, content in tree.items():
        if before.get(name) != content:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def archived(tree: Tree, suffix: str) -> bytes:
    """A zip, tar or tar.gz."""
    file = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
            for name, content in tree.items():
                zipped.writestr(name, content)
        return file.getvalue()
    options = {"compresslevel": 1} if suffix == ".tar.gz" else {}
    mode = "w:gz" if suffix == ".tar.gz" else "w"
    with tarfile.open(fileobj=file, mode=mode, **options) as tar:  # type: ignore[call-overload]
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def only(tree: Tree, *parts: str) -> Tree:
    """The files whose names have one of the parts."""
    return {name: content for name, content in tree.items() if any(p in name for p in parts)}


def base(name: str) -> str:
    return os.path.basename(name)  # noqa: PTH119
