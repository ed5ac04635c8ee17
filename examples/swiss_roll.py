"""A density learnt from data: the swiss roll, in five minutes.

    python examples/swiss_roll.py [FIGURE.png] [STEPS]

Points on a rolled-up strip are all the flow is given. It learns a velocity that carries a Gaussian onto them (flow
matching), then sharpens its density by maximum likelihood, and can afterwards do what the data cannot: say how probable
any point is, and draw new ones. The same classes learn the density of protons."""

import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jovium.optimise.step_rules import Adam
from jovium.protons.base_density import GaussianPoint
from jovium.protons.flow import Flow, samples
from jovium.protons.losses import FlowMatching, Loss, MaximumLikelihood
from jovium.protons.velocity import PointVelocity
from jovium.report.proton_figures import draw_plane

EXTENT = 2.6


def swiss_roll(n: int, seed: int = 0) -> np.ndarray:
    """n points (n, 1, 2) along a spiral, with a little noise."""
    random = np.random.default_rng(seed)
    angle = 1.5 * np.pi * (1 + 2 * random.random(n))
    points = angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) / 7
    return (points + 0.05 * random.normal(size=points.shape))[:, None]


def taught(flow: Flow, loss: Loss, rule: Adam, steps: int) -> Flow:
    """The flow after so many steps of one loss."""

    @eqx.filter_jit
    def step(flow, state, number):
        learnt = loss(flow, jax.random.fold_in(jax.random.key(0), number), False)
        strength = 0.5 * (1 + jnp.cos(jnp.pi * number / steps))
        return *rule.step(flow, state, learnt.gradient, None, strength), learnt.value

    state = rule.start(flow)
    for number in range(steps):
        flow, state, value = step(flow, state, jnp.float32(number))
        if number % 500 == 0 or number == steps - 1:
            print(f"{type(loss).__name__:12s} step {number:5d}  {float(value):.4f}", flush=True)
    return flow


def main(path: Path, steps: int) -> float:
    """Learn, draw, and return the mean -ln p of points that were not learnt from."""
    data, unseen = swiss_roll(8000), jnp.asarray(swiss_roll(2000, seed=1), jnp.float32)
    velocity = PointVelocity.of(2, scale=1.0, n_hidden=64, key=jax.random.key(0))
    flow = Flow(GaussianPoint.of((0.0, 0.0), 1.0), velocity, 12)
    starts = np.asarray(jax.vmap(flow.base.sample)(jax.random.split(jax.random.key(1), len(data))))
    flow = taught(flow, FlowMatching(starts, data - starts, 512), Adam(5e-3, longest=1.0), steps)
    matched = samples(flow, jax.random.key(2), 4000).positions[:, 0]
    flow = taught(flow, MaximumLikelihood(data, 256), Adam(2e-3), steps // 4)
    sharpened = samples(flow, jax.random.key(2), 4000).positions[:, 0]
    axis = np.linspace(-EXTENT, EXTENT, 160)
    grid = jnp.asarray(np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 2), jnp.float32)
    log_density = eqx.filter_jit(lambda flow, x: jax.lax.map(flow.log_density, x, batch_size=512))
    density = np.exp(np.asarray(log_density(flow, grid))).reshape(160, 160)
    panels = [("data", data[:, 0]), ("flow matching", matched), ("+ maximum likelihood", sharpened)]
    draw_plane(path, [(title, np.asarray(points)) for title, points in panels], (axis, density), EXTENT)
    found = -float(log_density(flow, unseen).mean())
    print(
        f"-E[ln p] of unseen points: {found:.3f}; int p over the figure: {density.sum() * (axis[1] - axis[0]) ** 2:.3f}"
    )
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "swiss_roll.png"), int(sys.argv[2]) if len(sys.argv) > 2 else 4000)
