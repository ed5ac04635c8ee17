"""Error bars: means of correlated series."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jovium.base.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and the number of independent samples behind it."""

    value: float
    error: float
    n_independent: float

    def __str__(self) -> str:
        return round_to_error(self.value, self.error)

    def record(self, scale: float = 1.0) -> dict[str, float | None]:
        """Value and error in another unit for files: multiplied by `scale`, None where a number is not finite."""
        numbers = {"value": self.value * scale, "error": self.error * scale}
        return {name: number if np.isfinite(number) else None for name, number in numbers.items()}


def round_to_error(value: float, error: float) -> str:
    """value +- error, both to two digits of the error."""
    if not (np.isfinite(value) and np.isfinite(error) and error > 0):
        return f"{value:.6g} +- {error:.2g}"
    digits = 1 - int(np.floor(np.log10(error)))
    # Two digits may round up to three: 0.0996 is 0.10.
    digits -= round(error, digits) >= 10 ** (2 - digits)
    value, error, digits = round(value, digits), round(error, digits), max(0, digits)
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def autocorrelation_time(series: Float[np.ndarray, "n"]) -> float:
    """Integrated autocorrelation time tau = 1 + 2 sum_t rho(t), in samples; 1 for independent samples.

    The sum stops at the first window w >= 5 tau(w) (Sokal, in Functional Integration, Plenum 1997, p. 131).
    """
    series = np.asarray(series, dtype=float)
    n = len(series)
    centred = series - series.mean()
    variance = np.mean(centred**2)
    if n < 4 or variance <= 1e-300:
        return 1.0
    spectrum = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
    correlation = np.fft.irfft(spectrum)[:n] / (variance * n)
    cumulative = 2 * np.cumsum(correlation) - 1
    windows = np.arange(n)
    settled = np.flatnonzero(windows >= 5 * cumulative)
    last = settled[0] if len(settled) else n - 1
    return float(max(1.0, cumulative[last]))


def mean_with_error(series: Float[np.ndarray, "n"]) -> Estimate:
    """Mean of a correlated series; its error is sqrt(variance * tau / n) with the integrated autocorrelation time.

    Raises InputError for fewer than two samples or a value that is not finite.
    """
    series = np.asarray(series, dtype=float)
    if series.ndim != 1 or len(series) < 2 or not np.isfinite(series).all():
        raise InputError(
            f"a series of shape {series.shape} with {np.count_nonzero(~np.isfinite(series))} values not finite",
            "at least two finite numbers",
            "sample longer, or look for the step where the run went wrong",
        )
    n_independent = len(series) / autocorrelation_time(series)
    error = np.sqrt(series.var(ddof=1) / n_independent)
    return Estimate(float(series.mean()), float(error), float(n_independent))


def split_r_hat(chains: Float[np.ndarray, "c n"]) -> float:
    """Potential scale reduction of chains split in halves: sqrt of the variance between and within them over that
    within; near 1 when they have forgotten where they began (Gelman et al., Bayesian Data Analysis, 3rd ed., 11.4)."""
    half = chains.shape[1] // 2
    split = np.concatenate([chains[:, :half], chains[:, -half:]]).astype(float)
    within, between = split.var(axis=1, ddof=1).mean(), half * split.mean(axis=1).var(ddof=1)
    return float(np.sqrt((half - 1) / half + between / (half * within))) if within > 0 else 1.0


def equilibration_start(series: Float[np.ndarray, "n"]) -> int:
    """Index from which a series is stationary: the start that leaves most independent samples, (n - t) / tau(t).

    Chodera, J. Chem. Theory Comput. 12, 1799 (2016), eq. 10. Starts in the last quarter are not considered.
    """
    series = np.asarray(series, dtype=float)
    starts = range(max(1, 3 * len(series) // 4))
    independent = [(len(series) - start) / autocorrelation_time(series[start:]) for start in starts]
    return int(np.argmax(independent))
