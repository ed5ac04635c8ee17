"""Published fits of the superconducting critical temperature to the topology of the ELF.

phi is the networking value, phi* the molecularity index, H_f the fraction of hydrogen atoms and H_DOS the fraction of
hydrogen in the density of states at the Fermi level. The coefficients were compared with the program TcESTIME
(https://github.com/juliacontrerasgarcia/Tcestime, src/get_tc.py). All were fitted to critical temperatures computed
for hydrides under pressure: they rank candidates, they do not replace an electron-phonon calculation.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jovium.base.errors import InputError

MAX_OVERSHOOT = 1e-3
"""How far outside [0, 1] phi and phi* may lie: a spline through an ELF overshoots a little at a saddle near 1."""


@dataclass(frozen=True)
class Fit:
    """A published fit Tc(phi, phi*, H_f, H_DOS) in kelvin.

    rmse_kelvin: root-mean-square error on its own data, None when none was found. uses_phi_star: whether the
    molecularity index enters. validity: what it was fitted to.
    """

    name: str
    formula: str
    doi: str
    rmse_kelvin: float | None
    uses_phi_star: bool
    validity: str
    kelvin: Callable[[float, float, float, float], float]


@dataclass(frozen=True)
class TcEstimate:
    """What one fit gives: kelvin, or None and the reason in `note`; `note` also says when a number is out of range.

    hydrogen_dos_kelvin: how far the uncertainty of H_DOS moves it up or down, the larger of the two; None without."""

    name: str
    kelvin: float | None
    rmse_kelvin: float | None
    doi: str
    note: str
    hydrogen_dos_kelvin: float | None = None


_BELLI = "10.1038/s41467-021-25687-0"
_TCESTIME = "10.1039/D4SC04465G"
_MOLECULARITY = "10.48550/arXiv.2403.07584"
_REFINED = "10.48550/arXiv.2506.17456"

SOURCES = {
    _BELLI: "F. Belli, T. Novoa, J. Contreras-Garcia and I. Errea, Nat. Commun. 12, 5381 (2021)",
    _TCESTIME: "T. Novoa et al., Chem. Sci. 16, 57 (2025)",
    _MOLECULARITY: "di Mauro, Braida, Errea, Novoa and Contreras-Garcia, arXiv:2403.07584 (2024)",
    _REFINED: "Belli, Torres, Contreras-Garcia and Zurek, arXiv:2506.17456 (2025)",
}
"""Authors, journal and year by the DOI of a fit."""

_HYDRIDES = "more than a hundred hydrides predicted in the literature"

FITS: tuple[Fit, ...] = (
    Fit(
        "Belli 2021", "750 phi H_f H_DOS^(1/3) - 85", _BELLI, 60.0, False, f"{_HYDRIDES}; accuracy about 60 K",
        lambda phi, phi_star, h_f, h_dos: 750.0 * phi * h_f * h_dos ** (1 / 3) - 85.0,
    ),
    Fit(
        "leastsq", "456.34 phi H_f H_DOS^(1/3) - 9.46", _TCESTIME, None, False, _HYDRIDES,
        lambda phi, phi_star, h_f, h_dos: 456.34 * phi * h_f * h_dos ** (1 / 3) - 9.46,
    ),
    Fit(
        "SR2", "442.3 (1 - (phi* - phi)) H_f^3 H_DOS^(1/2)", _MOLECULARITY, None, True, _HYDRIDES,
        lambda phi, phi_star, h_f, h_dos: 442.3 * (1 - (phi_star - phi)) * h_f**3 * h_dos**0.5,
    ),
    Fit(
        "SR4", "574.7 phi (H_DOS H_f^3)^(1/2)", _MOLECULARITY, None, False, _HYDRIDES,
        lambda phi, phi_star, h_f, h_dos: 574.7 * phi * (h_dos * h_f**3) ** 0.5,
    ),
    # (27/4)(x^2 - x^3) is 1 at its maximum, x = 2/3.
    Fit(
        "SR5", "422.2 (27/4) (phi*^2 - phi*^3) H_f^3 (phi H_DOS)^(1/3) + 5.5", _REFINED, 41.0, True,
        "244 binary and ternary hydrides; formula as in TcESTIME, its paper and its error of 41 K not verified",
        lambda phi, phi_star, h_f, h_dos:
            422.2 * (27 / 4) * (phi_star**2 - phi_star**3) * h_f**3 * (phi * h_dos) ** (1 / 3) + 5.5,
    ),
)  # fmt: skip
"""Every fit, oldest first.

Belli 2021: "with an accuracy of about 60 K" (abstract). leastsq, SR2, SR4, SR5: coefficients as in TcESTIME, whose
manual names the sources of SR2 and SR4; no error was found for leastsq, SR2 and SR4. SR5: the coefficients were
verified, the paper it comes from and its 41 K were not.
"""


def critical_temperatures(
    phi: float,
    phi_star: float | None,
    hydrogen_fraction: float,
    hydrogen_dos: float | None,
    hydrogen_dos_uncertainty: float | None = None,
) -> tuple[TcEstimate, ...]:
    """Tc of every fit in `FITS`, unrounded, in their order; kelvin is None where an argument is missing.

    phi: networking value. phi_star: molecularity index, None when unknown. hydrogen_fraction: H atoms / all atoms.
    hydrogen_dos: hydrogen fraction of the density of states at the Fermi level, None when unknown, and its uncertainty.
    phi and phi* up to MAX_OVERSHOOT outside [0, 1] count as 0 or 1. Raises InputError for any other argument outside
    [0, 1] or NaN.
    """
    _require_unit_interval("networking value phi", phi, MAX_OVERSHOOT)
    _require_unit_interval("molecularity index phi*", phi_star, MAX_OVERSHOOT)
    _require_unit_interval("hydrogen fraction H_f", hydrogen_fraction)
    _require_unit_interval("fraction of the states H_DOS", hydrogen_dos)
    phi, phi_star = _clip(phi), None if phi_star is None else _clip(phi_star)
    known = phi, phi_star, hydrogen_fraction
    estimates = tuple(_estimate(fit, *known, hydrogen_dos) for fit in FITS)
    if hydrogen_dos is None or hydrogen_dos_uncertainty is None:
        return estimates
    low, high = _clip(hydrogen_dos - hydrogen_dos_uncertainty), _clip(hydrogen_dos + hydrogen_dos_uncertainty)
    ends = ((_estimate(fit, *known, low).kelvin, _estimate(fit, *known, high).kelvin) for fit in FITS)
    return tuple(_with_range(estimate, end) for estimate, end in zip(estimates, ends, strict=True))


def _with_range(estimate: TcEstimate, ends: tuple[float | None, float | None]) -> TcEstimate:
    kelvin, (low, high) = estimate.kelvin, ends
    if kelvin is None or low is None or high is None:
        return estimate
    return replace(estimate, hydrogen_dos_kelvin=max(kelvin - low, high - kelvin))


def _require_unit_interval(name: str, value: float | None, tolerance: float = 0.0) -> None:
    if value is not None and not -tolerance <= value <= 1.0 + tolerance:  # also catches NaN
        raise InputError(f"{name} = {value}", "a number from 0 to 1", "check where it comes from")


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _estimate(fit: Fit, phi: float, phi_star: float | None, h_f: float, h_dos: float | None) -> TcEstimate:
    missing = _missing_input(fit, phi_star, h_f, h_dos)
    if missing:
        return TcEstimate(fit.name, None, fit.rmse_kelvin, fit.doi, missing)
    # A fit that does not use phi* ignores the zero.
    kelvin = float(fit.kelvin(phi, phi_star or 0.0, h_f, h_dos or 0.0))
    note = f"fitted to {fit.validity}"
    if kelvin < 0:  # a linear fit has left the range it was made for
        note = f"negative: below the range of the fit, read it as not superconducting; {note}"
    return TcEstimate(fit.name, kelvin, fit.rmse_kelvin, fit.doi, note)


def _missing_input(fit: Fit, phi_star: float | None, h_f: float, h_dos: float | None) -> str:
    if h_f == 0:
        return "no hydrogen: the fits are for hydrides"
    if h_dos is None:
        return "H_DOS is missing: give the hydrogen fraction of the density of states at the Fermi level or a DOS file"
    if fit.uses_phi_star and phi_star is None:
        return "phi* is missing: no two hydrogen atoms connect"
    return ""
