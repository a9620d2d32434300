import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import ImageSource
from datasets.input import Share, evaluation_dataset, steps_per_epoch, training_dataset

Batch = tuple[np.ndarray, np.ndarray]


def numbered(count: int) -> ImageSource:
    """Images that tell their number, left of a dark right half, with labels that follow from it."""
    numbers = np.arange(count)
    images = np.zeros((count, 2, 4, 3), np.uint8)
    images[:, 0, :2, 0] = (numbers % 256)[:, np.newaxis]
    images[:, 0, :2, 1] = (numbers // 256)[:, np.newaxis]
    images[:, 1, :2] = 255
    labels = (numbers % 7).astype(np.int32)
    return ImageSource("numbered", "train", images, labels, tuple("abcdefg"), {})


def numbers(images: np.ndarray) -> list[int]:
    """The numbers of the images, mirrored or not."""
    parts = images[:, 0].max(axis=1).astype(int)
    return (parts[:, 0] + 256 * parts[:, 1]).tolist()


def mirrored(images: np.ndarray) -> np.ndarray:
    return images[:, 1, 0, 0] == 0


def batches(count: int, *arguments: Any, **keywords: Any) -> list[Batch]:
    dataset = training_dataset(*arguments, **keywords)
    return list(itertools.islice(dataset.as_numpy_iterator(), count))


def assert_same(one: list[Batch], other: list[Batch]) -> None:
    assert len(one) == len(other)
    for (images, labels), (other_images, other_labels) in zip(one, other, strict=True):
        assert np.array_equal(images, other_images)
        assert np.array_equal(labels, other_labels)


@settings(max_examples=20)
@given(
    count=st.integers(1, 70),
    batch_size=st.integers(1, 80),
    seed=st.integers(0, 2**63 - 1),
    first_epoch=st.integers(0, 3),
    flip=st.booleans(),
)
def test_every_image_once_per_epoch(
    count: int, batch_size: int, seed: int, first_epoch: int, flip: bool
) -> None:
    source = numbered(count)
    steps = steps_per_epoch(source, batch_size)
    assert (steps - 1) * batch_size < count <= steps * batch_size
    first = first_epoch * steps
    epoch = batches(steps, source, batch_size, seed, start_step=first, flip=flip)
    sizes = [len(images) for images, _ in epoch]
    assert sizes[:-1] == [batch_size] * (steps - 1), "only the last batch may be short"
    seen = [number for images, _ in epoch for number in numbers(images)]
    assert sorted(seen) == list(range(count))
    for images, labels in epoch:
        assert images.dtype == np.uint8
        assert labels.dtype == np.int32
        assert labels.tolist() == [number % 7 for number in numbers(images)]


@settings(max_examples=20)
@given(
    count=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    seed=st.integers(0, 2**63 - 1),
    start_step=st.integers(0, 30),
    flip=st.booleans(),
)
def test_start_step_continues_exactly(
    count: int, batch_size: int, seed: int, start_step: int, flip: bool
) -> None:
    source = numbered(count)
    whole = batches(start_step + 6, source, batch_size, seed, flip=flip)
    later = batches(6, source, batch_size, seed, start_step=start_step, flip=flip)
    assert_same(whole[start_step:], later)


def test_start_in_the_middle_of_an_epoch_over_its_end() -> None:
    source = numbered(103)
    assert steps_per_epoch(source, 10) == 11
    whole = batches(40, source, 10, 5, flip=True)
    for start_step in (1, 10, 11, 12, 27):
        assert_same(whole[start_step:], batches(40 - start_step, source, 10, 5, start_step, True))
    assert [len(images) for images, _ in whole[8:13]] == [10, 10, 3, 10, 10]


def test_two_runs_are_the_same_and_two_iterators_too() -> None:
    source = numbered(50)
    dataset = training_dataset(source, 8, 3, flip=True)
    first, second = (list(itertools.islice(dataset.as_numpy_iterator(), 20)) for _ in range(2))
    assert_same(first, second)
    assert_same(first, batches(20, source, 8, 3, flip=True))


def test_order_changes_with_seed_and_epoch() -> None:
    source = numbered(1000)
    orders = [
        tuple(
            number
            for images, _ in batches(10, source, 100, seed, start)
            for number in numbers(images)
        )
        for seed in (0, 1, 2**32, 2**62)
        for start in (0, 10, 20)
    ]
    assert len(set(orders)) == len(orders)
    for one, other in itertools.combinations(orders, 2):
        same_places = np.mean(np.array(one) == np.array(other))
        assert same_places < 0.02
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.2


def test_the_order_is_well_mixed() -> None:
    """Each batch holds about as many images from every tenth of the source as its size asks."""
    source = numbered(6400)
    for images, _ in batches(100, source, 64, 7):
        tenths = np.bincount(np.array(numbers(images)) // 640, minlength=10)
        assert tenths.max() <= 22  # mean 6.4; a sorted source would give 64


def test_about_half_is_mirrored_and_only_when_asked() -> None:
    source = numbered(2000)
    plain = batches(40, source, 50, 11)
    flipped = batches(40, source, 50, 11, flip=True)
    assert not any(mirrored(images).any() for images, _ in plain)
    flips = np.stack([mirrored(images) for images, _ in flipped])
    assert 0.46 < flips.mean() < 0.54  # 2,000 draws: 0.5 +- 0.011
    for (images, labels), (mirror, mirror_labels), flip in zip(plain, flipped, flips, strict=True):
        wanted = np.where(flip[:, None, None, None], images[:, :, ::-1], images)
        assert np.array_equal(mirror, wanted), "the same images, turned left to right"
        assert np.array_equal(labels, mirror_labels)
    # Neither steps nor positions share their draws.
    assert len({row.tobytes() for row in flips}) == 40
    assert len({column.tobytes() for column in flips.T}) == 50


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The image moved, by NumPy's own padding."""
    size = max(abs(down), abs(right))
    padded = np.pad(image, ((size, size), (size, size), (0, 0)), mode="edge")
    height, width = image.shape[:2]
    return padded[size - down : size - down + height, size - right : size - right + width]


def test_images_are_moved_each_by_itself_and_in_all_directions() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 6, 8, 1), np.uint8)
    source = ImageSource("random", "train", images, np.zeros(50, np.int32), ("any",), {})
    ways = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    counts = dict.fromkeys(ways, 0)
    plain = batches(40, source, 20, 11)
    for (before, _), (after, _) in zip(plain, batches(40, source, 20, 11, shift=2), strict=True):
        for image, result in zip(before, after, strict=True):
            found = [way for way in ways if np.array_equal(moved(image, *way), result)]
            assert len(found) == 1
            counts[found[0]] += 1
    # 667 draws of 25 ways: 27 +- 5.
    assert sum(counts.values()) == sum(len(images) for images, _ in plain)
    assert min(counts.values()) > 8
    assert max(counts.values()) < 50


@pytest.mark.parametrize("shift", [-1, 2])
def test_wrong_shift(shift: int) -> None:
    with pytest.raises(ValueError, match=f"less than the images' sides; got {shift} for"):
        training_dataset(numbered(3), 2, 0, shift=shift)


def test_flips_depend_on_seed_step_and_position_alone() -> None:
    """Not on which image stands there, nor on how many there are."""
    small, large = numbered(30), numbered(95)
    one = batches(12, small, 10, 4, flip=True)
    other = batches(12, large, 10, 4, flip=True)
    for step, ((images, _), (other_images, _)) in enumerate(zip(one, other, strict=True)):
        size = min(len(images), len(other_images))
        assert np.array_equal(mirrored(images)[:size], mirrored(other_images)[:size]), step
    another_seed = batches(12, small, 10, 5, flip=True)
    assert any(
        not np.array_equal(mirrored(images), mirrored(other_images))
        for (images, _), (other_images, _) in zip(one, another_seed, strict=True)
    )


@settings(max_examples=15)
@given(count=st.integers(1, 60), batch_size=st.integers(1, 70))
def test_evaluation_counts_every_image_once_in_order(count: int, batch_size: int) -> None:
    source = numbered(count)
    dataset = evaluation_dataset(source, batch_size)
    assert int(dataset.cardinality()) == steps_per_epoch(source, batch_size)
    for _ in range(2):  # it can be gone through again
        found = list(dataset.as_numpy_iterator())
        assert np.array_equal(np.concatenate([images for images, _ in found]), source.images)
        assert np.array_equal(np.concatenate([labels for _, labels in found]), source.labels)
        assert [len(images) for images, _ in found[:-1]] == [batch_size] * (len(found) - 1)


def dealt_back(parts: list[list[Batch]]) -> list[Batch]:
    """Whole batches from the parts of each replica, each `[step]`."""
    whole = []
    for of_step in zip(*parts, strict=True):
        pairs = []
        for what in (0, 1):
            size = sum(len(part[what]) for part in of_step)
            merged = np.zeros((size, *of_step[0][what].shape[1:]), of_step[0][what].dtype)
            for replica, part in enumerate(of_step):
                merged[replica :: len(of_step)] = part[what]
            pairs.append(merged)
        whole.append((pairs[0], pairs[1]))
    return whole


@settings(max_examples=15)
@given(
    count=st.integers(1, 40),
    batch_size=st.integers(1, 20),
    local=st.integers(1, 3),
    processes=st.integers(1, 3),
    start_step=st.integers(0, 5),
)
def test_shares_of_all_replicas_are_the_whole_batch(
    count: int, batch_size: int, local: int, processes: int, start_step: int
) -> None:
    source, total = numbered(count), local * processes
    arguments = {
        "batch_size": batch_size, "seed": 3, "start_step": start_step, "flip": True, "shift": 1,
    }  # fmt: skip
    training: list[list[Batch]] = []
    evaluation: list[list[Batch]] = []
    steps = steps_per_epoch(source, batch_size)
    for process in range(processes):
        share = Share(first=process * local, local=local, total=total)
        elements = batches(4 * local, source, share=share, **arguments)
        training += [elements[replica::local] for replica in range(local)]
        dataset = evaluation_dataset(source, batch_size, share)
        assert int(dataset.cardinality()) == steps * local
        elements = list(dataset.as_numpy_iterator())
        evaluation += [elements[replica::local] for replica in range(local)]
    assert_same(dealt_back(training), batches(4, source, **arguments))
    expected = list(evaluation_dataset(source, batch_size).as_numpy_iterator())
    assert_same(dealt_back(evaluation), expected)


@pytest.mark.parametrize(("count", "static"), [(40, 8), (41, None), (7, None)])
def test_static_shapes(count: int, static: int | None) -> None:
    source = numbered(count)
    for dataset in (training_dataset(source, 8, 0, flip=True), evaluation_dataset(source, 8)):
        images, labels = dataset.element_spec
        assert images.shape.as_list() == [static, 2, 4, 3]
        assert labels.shape.as_list() == [static]
        assert (images.dtype, labels.dtype) == (tf.uint8, tf.int32)
    assert training_dataset(source, 8, 0).cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize("flip", [False, True])
def test_the_images_are_not_constants_in_the_graph(flip: bool) -> None:
    large = ImageSource(
        "large",
        "train",
        np.zeros((500, 48, 48, 1), np.uint8),  # 1.1 MB
        np.zeros(500, np.int32),
        ("only",),
        {},
    )
    for dataset in (training_dataset(large, 8, 0, flip=flip), evaluation_dataset(large, 8)):
        mapped = dataset
        while not hasattr(mapped, "_map_func"):
            mapped = mapped._input_dataset
        assert mapped._map_func.function.graph.as_graph_def().ByteSize() < 50_000


def test_a_step_far_into_a_long_run() -> None:
    """Steps are 64-bit."""
    source = numbered(10)
    far = 2**40
    seen = [n for images, _ in batches(2, source, 5, 1, start_step=far) for n in numbers(images)]
    assert sorted(seen) == list(range(10))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"batch_size": 0}, "batch_size must be .* at least 1; got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"seed": -1}, r"seed must be from 0 to 2\^63 - 1; got -1"),
        ({"seed": 2**63}, "seed must be"),
        ({"start_step": -1}, "start_step must be at least 0; got -1"),
    ],
)
def test_wrong_arguments(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_dataset(numbered(5), **{"batch_size": 2, "seed": 0, **keywords})


def test_wrong_batch_size_elsewhere() -> None:
    for function in (evaluation_dataset, steps_per_epoch):
        with pytest.raises(ValueError, match="batch_size"):
            function(numbered(5), 0)
