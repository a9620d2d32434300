"""Rows of runs that nobody made, as `trainers.ablation_rows` has them."""

from trainers.ablation_rows import COLUMNS


def rows_of(method, bits, minutes=10.0, **columns):
    """A row for each figure, the seeds 0, 1 and on; the method's, unless `columns` say else."""
    return [
        {
            **dict.fromkeys(COLUMNS, ""),
            "method": method, "seed": str(seed), "bits_per_dim": str(value), "nats": "100.0",
            "steps": "9", "minutes": str(minutes), "parameters": "1234", "cores": "2",
            "at_once": "1", "machine": "Linux x86_64", **columns,
        }
        for seed, value in enumerate(bits)
    ]  # fmt: skip
