"""Into how many files TFDS writes a split."""

from __future__ import annotations

import dataclasses

import tensorflow_datasets as tfds
from tensorflow_datasets.core.utils.shard_utils import ShardConfig

_LEAST_BYTES = 1 << 20


def with_many_shards(config: tfds.download.DownloadConfig) -> tfds.download.DownloadConfig:
    """The same, with shards from a megabyte on where nothing else was asked for.

    TFDS' own least size, 64 MB, would put all faces into one file, which one reader alone reads.
    """
    usual = tfds.download.DownloadConfig()
    if config.num_shards or config.min_shard_size != usual.min_shard_size:
        return config
    fields = dataclasses.fields(config)
    return _ManyShards(**{field.name: getattr(config, field.name) for field in fields})


class _SmallShards(ShardConfig):
    # TFDS 4.9.10 computes with the size of the class, whatever its instance says.
    min_shard_size = _LEAST_BYTES


class _ManyShards(tfds.download.DownloadConfig):
    def get_shard_config(self) -> ShardConfig:
        """What TFDS asks for when it writes."""
        return _SmallShards(max_shard_size=self.max_shard_size, min_shard_size=_LEAST_BYTES)
