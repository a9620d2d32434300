"""Processes of one run compare what they were told and what they see; here they are threads."""

import concurrent.futures
import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from datasets import ImageSource
from trainers import same_run
from trainers.run import Run
from trainers.run_directory import RunDirectory
from trainers.same_run import DifferentRunError, check_same_run
from trainers.schedule import Schedule
from trainers.settings import FitSettings
from trainers.strategies import Team

SETTINGS = FitSettings(run_dir="runs/faces", max_steps=4, size="tiny", levels=1, batch_size=4)


class Meeting:
    """Where so many threads sum their numbers, as often as all of them come."""

    def __init__(self, members):
        self.barrier = threading.Barrier(members, timeout=60)
        self.brought = []

    def sum(self, values):
        self.brought.append(values)
        self.barrier.wait()
        total = [float(column) for column in np.sum(self.brought, axis=0)]
        if self.barrier.wait() == 0:
            self.brought.clear()
        self.barrier.wait()
        return total


class Member(Team):
    """A process of a team, with so many replicas."""

    def __init__(self, meeting, replicas=1):
        self.several_processes = True
        self.chief = False
        self._meeting = meeting
        self._replicas = replicas

    def sum(self, values):
        # Each replica adds its share, as with a real strategy, and as roundingly.
        share = np.array(values) / self._replicas
        return self._meeting.sum(list(sum([share] * self._replicas)))


def together(calls):
    """What each call returned or raised, all of them made at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.exception() or future.result() for future in futures]


def faces(split, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (6, 8, 8, 1), np.uint8)
    labels = np.arange(6, dtype=np.int32) % 2
    return ImageSource("faces", split, images, labels, ("cat", "dog"), {"source": "folder"})


def run_of(train_seed=0, validation_seed=1, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    train = faces("train", train_seed)
    config = settings.model_config(train.image_shape, train.classes)
    directory = RunDirectory(Path(settings.run_dir))
    schedule = Schedule(1e-3, 0, 4, None)
    validation = faces("validation", validation_seed)
    return Run(settings, directory, config, train, validation, 2, schedule, None)


def checked(*runs):
    """What the check of each process raised, or None."""
    meeting = Meeting(len(runs))
    members = [dataclasses.replace(run, team=Member(meeting)) for run in runs]
    return together([lambda run=run: check_same_run(run) for run in members])


def test_the_same_run_passes_wherever_it_lies():
    elsewhere = run_of(run_dir="/elsewhere", data_path="/data", overwrite=True)
    assert checked(run_of(), elsewhere, run_of()) == [None, None, None]


@pytest.mark.parametrize(
    ("other", "names", "here", "there"),
    [
        ({"batch_size": 2}, "batch_size", "batch_size is 4", "batch_size is 2"),
        ({"width": "8", "seed": 7}, "width, seed", "seed is 0", "width is 8; seed is 7"),
        ({"resume": True}, "resume", "resume is false", "resume is true"),
        ({"train_seed": 2}, "train_data", '"source": "folder", "images": 6', "train_data is {"),
        ({"validation_seed": 2}, "validation_data", '"images": 6', "validation_data is {"),
    ],
)
def test_every_process_is_told_what_differs(other, names, here, there):
    errors = checked(run_of(), run_of(), run_of(**other))
    assert all(isinstance(error, DifferentRunError) for error in errors)
    assert all(f"differ in {names}." in str(error) for error in errors)
    assert here in str(errors[0])
    assert there in str(errors[2])
    assert str(errors[0]) == str(errors[1]) != str(errors[2])


def test_another_version_with_other_settings_is_told_before_numbers_are_lined_up(monkeypatch):
    shared = same_run._shared
    newer = run_of(seed=5)

    def with_a_new_flag(run):
        return shared(run) | ({"new_flag": 1} if run.settings.seed == 5 else {})

    monkeypatch.setattr(same_run, "_shared", with_a_new_flag)
    errors = checked(run_of(), newer)
    assert all("same version" in str(error) for error in errors)


def test_what_is_a_machines_own_are_flags():
    assert set(same_run._OWN) <= {field.name for field in dataclasses.fields(FitSettings)}


@pytest.mark.parametrize("replicas", [1, 3])
def test_numbers_are_compared_exactly(replicas):
    most = 2**24
    brought = [[0, most, most, 7, 3], [0, most, most - 1, 7, 3], [0, most, most, 7, 4]]
    meeting = Meeting(3)
    members = [Member(meeting, replicas) for _ in brought]
    calls = [lambda m=m, n=n: m.same(n) for m, n in zip(members, brought, strict=True)]
    assert together(calls) == [[True, True, False, True, False]] * 3
