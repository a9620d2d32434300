"""What exchanging gradients would take on links that were not measured. Defines no flags."""

from __future__ import annotations

from benchmarks import report

# Nominal bandwidth in one direction, bytes per second, and a usual latency of one message, seconds.
LINKS = {
    "8 GPUs, NVLink 4": (450e9, 5e-6),
    "8 GPUs, PCIe 4.0 x16": (32e9, 10e-6),
    "8 machines, 100 Gbit/s": (12.5e9, 20e-6),
    "8 machines, 10 Gbit/s": (1.25e9, 50e-6),
}
_DEVICES = 8


def ring_all_reduce_seconds(
    sent: float, collectives: int, devices: int, bandwidth: float, latency: float
) -> float:
    """Time in which a ring of devices sums `sent` bytes, in so many collectives.

    Each device sends `2 (n - 1) / n` of the bytes, in `2 (n - 1)` messages for each collective.

    Source: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms".
    """
    messages = 2 * (devices - 1)
    return collectives * messages * latency + messages / devices * sent / bandwidth


def projection(parameters: int, collectives: int) -> str:
    """A table of what the exchange would take, for this model and for larger ones."""
    rows = []
    for link, (bandwidth, latency) in LINKS.items():
        row = {"PROJECTION, not measured": link}
        for count in (parameters, 10_000_000, 100_000_000):
            seconds = ring_all_reduce_seconds(4 * count, collectives, _DEVICES, bandwidth, latency)
            row[f"{count / 1e6:.1f} M parameters"] = f"{1000 * seconds:.1f} ms"
        rows.append(row)
    return (
        f"{report.table(rows)}\n"
        "Nothing of the exchange overlaps with the backward pass: a step that takes nine times as "
        "long by itself runs at 90 % of the ideal speed."
    )
