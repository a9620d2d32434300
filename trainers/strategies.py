"""One device, several devices, several machines: TensorFlow's strategies, and how to agree.

TF_CONFIG, TensorFlow's own environment variable, says which machines take part:
`{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}`. A cluster may
have a job `"chief"` of one machine besides, which then comes before the workers.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from datasets.input import Share

if TYPE_CHECKING:
    import tensorflow as tf


class LostProcessError(Exception):
    """Another process of the team is gone, and this one cannot train on alone."""


class Team:
    """The replicas that train one model, of which this process has some.

    Attributes:
      strategy: TensorFlow's.
      share: of every batch, that of this process's replicas.
      chief: whether this process writes the run directory.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        index = _place(strategy.cluster_resolver)
        total = strategy.num_replicas_in_sync
        # TensorFlow's default strategy, of one device, does not know this property.
        local = len(strategy.extended.worker_devices) if total > 1 else 1
        self.several_processes = total > local
        self.chief = not self.several_processes or index == 0
        self.share = Share(first=index * local if self.several_processes else 0,
                           local=local, total=total)  # fmt: skip

    def dataset(self, make: Callable[[Share], tf.data.Dataset]) -> Any:
        """This process's part of a data set.

        Args:
          make: from a share of every batch to the data set.
        """
        if self.share.total == 1:
            return make(self.share)
        return self.strategy.distribute_datasets_from_function(lambda context: make(self.share))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Tells an error of another process, which TensorFlow raises here too, from one of this."""
        import tensorflow as tf

        lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError)
        try:
            yield
        except lost as error:
            if not self.several_processes:
                raise
            raise LostProcessError(str(error.message).splitlines()[0]) from error

    def wait_for_all(self) -> None:
        """Returns when all processes have called it.

        TensorFlow takes a process that leaves before the others for one that crashed.
        """
        self.sum([0.0])

    def same(self, numbers: Sequence[int]) -> list[bool]:
        """Whether each number is the same in all processes, which call this at the same point.

        Args:
          numbers: whole ones from 0 to 2^24, as many in every process.
        """
        sums = self.sum([1.0, *map(float, numbers), *(float(number**2) for number in numbers)])
        # Sums of whole numbers, but for a rounding where a process has several replicas.
        processes, *rest = map(round, sums)
        totals, squares = rest[: len(numbers)], rest[len(numbers) :]
        # Cauchy and Schwarz: equal where all are the same, and only there.
        return [processes * s == t**2 for t, s in zip(totals, squares, strict=True)]

    def sum(self, values: list[float]) -> list[float]:
        """The sum of each number over all processes, which call this at the same point."""
        if not self.several_processes:
            return values
        import tensorflow as tf

        return self.sum_function(tf.constant(values, tf.float64)).numpy().tolist()

    @functools.cached_property
    def sum_function(self) -> Any:
        """What `sum` calls, a `tf.function` from float64 `[N]` to float64 `[N]`."""
        import tensorflow as tf

        def reduced(numbers: tf.Tensor) -> tf.Tensor:
            # The processes' replicas hold the same numbers: those of one are their share.
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, numbers / self.share.local)

        return tf.function(
            lambda numbers: self.strategy.experimental_local_results(
                self.strategy.run(reduced, args=(numbers,))
            )[0]
        )


def _place(resolver: Any) -> int:
    """This process's place among all of them, from 0: that of its replicas in TensorFlow's order.

    A task's index counts within its job alone; the chief's job comes before the workers'.
    """
    if resolver is None or resolver.task_id is None:
        return 0
    before = len(resolver.cluster_spec().as_dict().get("chief", []))
    return resolver.task_id + (before if resolver.task_type == "worker" else 0)


def make_team(name: str, cpu_devices: int) -> Team:
    """The replicas to train on; must come before TensorFlow's first computation.

    Args:
      name: one of `trainers.settings.STRATEGIES`. `"auto"` is `"multi_worker"` where TF_CONFIG
        names several workers, `"mirrored"` where there are several GPUs, else `"one"`.
      cpu_devices: number of logical devices to divide the CPU into, to try out `"mirrored"`.

    Raises:
      ValueError: TF_CONFIG is missing or wrong, there is one device only for `"mirrored"`, or
        TensorFlow has already started.
    """
    import tensorflow as tf

    kind = _chosen(name, len(tf.config.list_physical_devices("GPU")))
    if cpu_devices > 1:
        _divide_cpu(cpu_devices)
    if kind == "multi_worker":
        print(f"Waiting for all workers: {', '.join(_workers())}", flush=True)
        return Team(tf.distribute.MultiWorkerMirroredStrategy())
    if kind == "one":
        return Team(tf.distribute.get_strategy())
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ValueError(
            f"--strategy=mirrored needs two devices or more, there is {devices[0].name} alone; "
            "--cpu_devices=2 divides the CPU to try it out"
        )
    return Team(tf.distribute.MirroredStrategy([device.name for device in devices]))


def _chosen(name: str, gpus: int) -> str:
    workers = _workers()
    if name == "multi_worker" and not workers:
        raise ValueError(
            "--strategy=multi_worker needs the environment variable TF_CONFIG, which names the "
            "cluster's workers and this one's index"
        )
    if name != "auto":
        return name
    if len(workers) > 1:
        return "multi_worker"
    return "mirrored" if gpus > 1 else "one"


def _workers() -> list[str]:
    """Addresses of TF_CONFIG's machines, checked, the chief's first; none if it is not set."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return []
    try:
        config = json.loads(text)
        jobs = {
            "chief": [*config["cluster"].get("chief", [])],
            "worker": [*config["cluster"]["worker"]],
        }
        index = config["task"]["index"]
        kind = config["task"]["type"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            'TF_CONFIG must be JSON such as {"cluster": {"worker": ["host:port", ...]}, '
            f'"task": {{"type": "worker", "index": 0}}}}, got {text}'
        ) from error
    chiefs, workers = len(jobs["chief"]), len(jobs["worker"])
    if chiefs > 1:
        raise ValueError(f"TF_CONFIG: a cluster has one chief at most, got {chiefs}")
    if kind not in [*jobs] or index not in range(len(jobs[kind])):
        raise ValueError(
            f"TF_CONFIG: there is no task {kind} {index} among {'the chief and ' * chiefs}"
            f"the {workers} workers; the index counts from 0 within each job"
        )
    return [*jobs["chief"], *jobs["worker"]]


def _divide_cpu(devices: int) -> None:
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * devices
        )
    except RuntimeError as error:
        raise ValueError(
            f"--cpu_devices={devices} must be set before TensorFlow's first computation"
        ) from error
