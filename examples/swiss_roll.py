"""A density fitted to data: the swiss roll, in five minutes.

    python examples/swiss_roll.py [FIGURE.png] [STEPS]

Points on a rolled-up strip are all the flow is given. Its velocity is fitted to transport a Gaussian onto them (flow
matching), then its density is sharpened by maximum likelihood, and it can do what the data cannot: say how probable
any point is, and draw new ones. The density of protons is fitted by the same function."""

import sys
from pathlib import Path

import jax
import numpy as np

from jovium.protons.base_density import GaussianPoint
from jovium.protons.fit import fit_flow
from jovium.protons.flow import Flow
from jovium.protons.velocity import PointVelocity
from jovium.report.data_figures import canvas, save

EXTENT = 2.6


def swiss_roll(n: int, seed: int = 0) -> np.ndarray:
    """n points (n, 1, 2) along a spiral, with a little noise."""
    random = np.random.default_rng(seed)
    angle = 1.5 * np.pi * (1 + 2 * random.random(n))
    points = angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) / 7
    return (points + 0.05 * random.normal(size=points.shape))[:, None]


def main(path: Path, steps: int) -> float:
    """Fit, draw, and return the mean -ln p of points that are not in the data."""
    data, held_out = swiss_roll(8000), swiss_roll(2000, seed=1)
    velocity = PointVelocity.of(2, scale=1.0, n_hidden=64, key=jax.random.key(0))
    flow = Flow(GaussianPoint.of((0.0, 0.0), 1.0), velocity, 12)
    matched = fit_flow(data=data, flow=flow, n_steps=steps, batch_size=256, learning_rate=5e-3)
    sharpened = fit_flow(
        data=data, flow=matched.flow, n_steps=0, likelihood_steps=steps // 4, batch_size=256, learning_rate=2e-3
    )
    axis = np.linspace(-EXTENT, EXTENT, 160)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 2)
    density = np.exp(sharpened.log_prob(grid)).reshape(160, 160)
    samples = {"flow matching": matched.sample(4000, seed=2), "+ maximum likelihood": sharpened.sample(4000, seed=2)}
    panels = [(title, points[:, 0]) for title, points in {"data": data, **samples}.items()]
    draw(path, panels, density)
    loss, area = -float(sharpened.log_prob(held_out).mean()), (axis[1] - axis[0]) ** 2
    print(f"-E[ln p] of held-out points: {loss:.3f}; int p over the figure: {density.sum() * area:.3f}")
    return loss


def draw(path: Path, panels: list[tuple[str, np.ndarray]], density: np.ndarray) -> None:
    """Points in the plane, a panel each, and the density on a square grid as the last panel."""
    figure, all_axes = canvas(3.2 * (len(panels) + 1), 3.3, 1, len(panels) + 1, sharex=True, sharey=True)
    for axes, (title, points) in zip(all_axes, panels, strict=False):
        axes.plot(*points[:4000].T, ".", ms=1.2, color="#4c72b0", alpha=0.6, mew=0)
        axes.set_title(title, fontsize=10)
    all_axes[-1].imshow(density.T, origin="lower", extent=(-EXTENT, EXTENT, -EXTENT, EXTENT), cmap="magma")
    all_axes[-1].set_title("density p of the flow", fontsize=10)
    for axes in all_axes:
        axes.set(aspect="equal", xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), xticks=[], yticks=[])
    save(figure, path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "swiss_roll.png"), int(sys.argv[2]) if len(sys.argv) > 2 else 4000)
