"""Disks on which a run cannot be written, real ones as far as the machine permits; and a model."""

import contextlib
import errno
import os
import subprocess
import sys

import numpy as np
import pytest

_SIZE = 8 << 20


def _mounted(folder, *options):
    """Mounts a small file system of its own, or skips the test with the reason."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={_SIZE}", *options]), "tmpfs"]
    try:
        done = subprocess.run([*command, str(folder)], capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"needs the program mount: {error}")
    if done.returncode:
        pytest.skip(f"needs a user who may mount a file system: {done.stderr.strip()}")


def _unmount(folder):
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class SmallDisk:
    """A file system of its own that can be filled to the last byte (ENOSPC)."""

    reason = os.strerror(errno.ENOSPC)

    def __init__(self, path):
        self.path = path

    def fill(self, left=0):
        """Fills it up, but for some bytes."""
        filler = self.path / ".filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        os.truncate(filler, filler.stat().st_size - left)

    def free(self):
        """Makes room again."""
        (self.path / ".filler").unlink()

    @contextlib.contextmanager
    def full(self, left=0):
        self.fill(left)
        try:
            yield
        finally:
            self.free()


class SizeLimit:
    """A limit to the size of files, which needs no special rights (EFBIG)."""

    reason = os.strerror(errno.EFBIG)

    def __init__(self, path):
        self.path = path

    @contextlib.contextmanager
    def full(self, left=0):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # Python ignores the signal that would come with it, so that the write itself fails.
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    _mounted(folder)
    yield SmallDisk(folder)
    _unmount(folder)


@pytest.fixture
def read_only_disk(tmp_path):
    """A folder that nobody can write to, root included."""
    folder = tmp_path / "read_only"
    _mounted(folder, "ro")
    yield folder
    _unmount(folder)


@pytest.fixture(params=["full", "limit"])
def disk(request, tmp_path):
    """A disk that can be `full()`, in two ways."""
    if request.param == "full":
        return request.getfixturevalue("small_disk")
    if sys.platform == "win32":
        pytest.skip("Windows has no limit to the size of files")
    return SizeLimit(tmp_path)


@pytest.fixture(scope="module")
def averaging_model():
    """A model of 8x8 images of two classes, whose raw weights and their average are far apart."""
    from bplf_tf import BPLF, ModelConfig
    from trainers.averaging import make_optimizer
    from trainers.settings import FitSettings

    config = ModelConfig(image_shape=(8, 8, 1), classes=("cat", "dog"), levels=1, depth=1, width=4)
    model = BPLF(config)
    settings = FitSettings(run_dir="unused", epochs=1, learning_rate=0.1, ema_momentum=0.5)
    model.compile(optimizer=make_optimizer(settings))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 8, 8, 1), np.uint8)
    model.fit(images, np.arange(20, dtype=np.int32) % 2, batch_size=10, verbose=0)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(size=variable.shape, scale=0.1))
    return model
