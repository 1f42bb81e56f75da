"""The learning rate schedule, with the formula of Loam's own engine."""

import math


def learning_rate_at(peak: float, warmup_steps: int, step: int, steps: int) -> float:
    """Learning rate of step `step` (from 0) of `steps`: a linear warm-up, then half a cosine from `peak` to 0."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
