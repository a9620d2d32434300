"""normflows' Glow: `GlowBlock`s in a `MultiscaleFlow`, as in its own Glow example."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any

from benchmarks.problem import Problem, Stepper
from datasets.cores import cores


def build(problem: Problem, *, channels_last: bool = False, autocast: bool = False) -> Stepper:
    """Builds the flow and makes the first training step.

    Args:
      problem: the task.
      channels_last: keep weights and images in PyTorch's channels-last memory format.
      autocast: run the forward pass under `torch.autocast` to bfloat16.
    """
    import torch

    # normflows 1.7 has invalid escapes in its docstrings, which Python reports as warnings.
    warnings.filterwarnings("ignore", category=SyntaxWarning)
    import normflows

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or cores()))
    torch.manual_seed(0)
    bases: list[Any] = []
    merges: list[Any] = []
    flows: list[Any] = []
    for level in reversed(range(problem.levels)):
        size, channels = problem.level_shape(level)
        blocks = [
            normflows.flows.GlowBlock(channels, problem.width, split_mode="channel", scale=True)
            for _ in range(problem.depth)
        ]
        flows.append([*blocks, normflows.flows.Squeeze()])
        if not bases:  # the deepest level keeps all of its channels
            bases.append(normflows.distributions.DiagGaussian((channels, size, size)))
        else:
            merges.append(normflows.flows.Merge())
            bases.append(normflows.distributions.DiagGaussian((channels // 2, size, size)))
    model = normflows.MultiscaleFlow(bases, flows, merges, class_cond=False)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=memory_format)
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    images = torch.from_numpy(problem.images()).permute(0, 3, 1, 2).contiguous()

    def train_step() -> torch.Tensor:
        values = (images.float() + torch.rand(images.shape)) / 256.0 - 0.5
        values = values.contiguous(memory_format=memory_format)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            nats = -model.log_prob(values, None).mean()
        loss = nats / (problem.dimensions * math.log(2.0)) + 8.0
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    def run(steps: int) -> float:
        for _ in range(steps):
            loss = train_step()
        return float(loss)

    first_loss = run(1)
    if any(parameter.grad is None for parameter in parameters):
        raise RuntimeError("A parameter of normflows' Glow got no gradient.")
    return Stepper(
        run=run,
        first_loss=first_loss,
        parameters=sum(parameter.numel() for parameter in parameters),
        versions={"torch": torch.__version__, "normflows": _version("normflows")},
    )


def _version(package: str) -> str:
    from importlib import metadata

    return metadata.version(package)
