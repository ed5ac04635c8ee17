"""The process in which Quantum ESPRESSO runs: one driver, one cell, any number of position sets.

Quantum ESPRESSO stops its whole process on an error and keeps global state, so it lives in a process of its own. It
is started as `python -m jovium.reference.espresso_worker` inside a scratch directory that holds pw.in and H.upf. Each
line on standard input is a JSON request {"positions": [[x, y, z], ...] (bohr), "stress": bool, "fields": bool,
"cutoff": hartree, "window": number, "shells": on which to project or null}; the first one finds its positions in pw.in
already. Each answer is one JSON line on the original standard output, with arrays in reply.npz.
Everything the library prints goes to pw.out.
"""

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.grid import wave_numbers
from jovium.reference.projection import atom_shares
from jovium.reference.pseudo_atom import AtomicOrbital


def windowed_densities(
    driver: Any, shape: tuple[int, int, int], cell: Cell, cutoff: float, window: float
) -> tuple[Float[np.ndarray, "nx ny nz"], Float[np.ndarray, "nx ny nz"]]:
    """n = sum f |psi|^2 (1/bohr^3) and tau = 1/2 sum f |grad psi|^2 (hartree/bohr^3) of windowed orbitals.

    Every plane-wave coefficient is multiplied by exp(-window x^2) with x = |k+G|^2 / (2 cutoff); see `window`.
    |grad psi|^2 = (1/2) Laplacian |psi|^2 - Re psi* Laplacian psi, hence
    tau = (1/4) Laplacian n - (1/2) sum f Re psi* Laplacian psi: two transforms per band where the gradient needs three
    more. Products of two plane waves below the cutoff fit on the grid, so both forms are exact there."""
    waves = wave_numbers(shape) @ cell.reciprocal
    density, tau = np.zeros(shape), np.zeros(shape)
    for k, k_fractional in enumerate(np.asarray(driver.get_ibz_k_points()).reshape(-1, 3)):
        # Weights carry the factor 2 of the spin and the weight of the k-point.
        weights = np.asarray(driver.get_occupation_numbers(k)) / cell.volume
        occupied = np.flatnonzero(weights * cell.volume > 1e-14)
        square = np.sum((waves + k_fractional @ cell.reciprocal) ** 2, -1)
        factor = np.exp(-window * (square / (2 * cutoff)) ** 2)
        for band, periodic_part in zip(occupied, driver.get_wave_function(occupied, k), strict=True):
            coefficients = factor * np.fft.fftn(periodic_part.reshape(shape, order="F"))
            u = np.fft.ifftn(coefficients)
            minus_laplacian = np.fft.ifftn(square * coefficients)
            density += weights[band] * (u.real**2 + u.imag**2)
            tau += 0.5 * weights[band] * (u.real * minus_laplacian.real + u.imag * minus_laplacian.imag)
    tau -= 0.25 * np.fft.ifftn(np.sum(waves**2, -1) * np.fft.fftn(density)).real
    return density, tau


def _ground_state(driver: Any, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    driver.scf()
    converged = bool(driver.qepy_modules.control_flags.get_conv_elec())
    answer = {
        "converged": converged,
        "scf_iterations": int(driver.get_scf_steps()),
        "scf_error_rydberg": float(driver.get_scf_error()),
    }
    if not converged:
        return answer, {}
    levels = np.array([driver.get_eigenvalues(k) for k in range(driver.get_number_of_k_points())])
    occupations = [
        np.asarray(driver.get_occupation_numbers(k))[-1] / driver.get_k_point_weights()[k]
        for k in range(driver.get_number_of_k_points())
    ]
    answer |= {
        "free_energy_rydberg": float(driver.get_energy()),
        "smearing_energy_rydberg": float(driver.qepy_pw.ener.get_demet()),
        "top_occupation": float(max(occupations)),
        "n_bands": levels.shape[1],
        "fermi_energy_rydberg": float(driver.get_fermi_level()),
    }
    arrays = {"forces": np.array(driver.get_forces()), "levels": levels}
    arrays["weights"] = np.array(driver.get_k_point_weights()) / 2  # they count the spins
    symmetry = driver.qepy_pw.symm_base
    n_operations = symmetry.get_nsym()
    arrays["rotations"] = np.array(symmetry.get_array_s())[:, :, :n_operations].T.copy()
    arrays["translations"] = -np.array(symmetry.get_array_ft())[:, :n_operations].T
    if request["stress"]:
        arrays["pressure_tensor"] = np.array(driver.get_stress())
    if request["fields"]:
        arrays |= _fields(driver, request["cutoff"], request["window"])
    if request["shells"]:
        arrays |= _shares(driver, request)
    return answer, arrays


def _die_with_parent() -> None:
    """Ask Linux to end this process when the one that started it is gone, also in the middle of a calculation."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _fields(driver: Any, cutoff: float, window: float) -> dict[str, np.ndarray]:
    cell = Cell(np.array(driver.get_ions_lattice()))
    nx, ny, nz = (int(n) for n in driver.get_number_of_grid_points())
    windowed_density, windowed_tau = windowed_densities(driver, (nx, ny, nz), cell, cutoff, window)
    density = driver.get_density()[:, 0].reshape((nx, ny, nz), order="F")
    return {"density": density, "windowed_density": windowed_density, "windowed_tau": windowed_tau}


def _shares(driver: Any, request: dict[str, Any]) -> dict[str, np.ndarray]:
    """Shares of all levels in the shells of the atoms, see `atom_shares`."""
    cell = Cell(np.array(driver.get_ions_lattice()))
    nx, ny, nz = (int(n) for n in driver.get_number_of_grid_points())
    lattice_waves = wave_numbers((nx, ny, nz)) @ cell.reciprocal
    shells = {
        kind: {element: [AtomicOrbital(**shell) for shell in own] for element, own in elements.items()}
        for kind, elements in request["shells"].items()
    }
    of_atoms = [[shells[kind][element] for element in request["elements"]] for kind in ("occupied", "empty")]
    shares = []
    for k, k_fractional in enumerate(np.asarray(driver.get_ibz_k_points()).reshape(-1, 3)):
        waves = lattice_waves + k_fractional @ cell.reciprocal
        inside = np.sum(waves**2, -1) < 2 * request["cutoff"]
        states = np.array(
            [np.fft.fftn(u.reshape((nx, ny, nz), order="F"))[inside] for u in driver.get_wave_function(None, k)]
        )
        states /= np.linalg.norm(states, axis=1, keepdims=True)
        shares.append(atom_shares(states, waves[inside], np.array(request["positions"]), *of_atoms))
    occupied, empty = (np.array(part) for part in zip(*shares, strict=True))
    return {"occupied": occupied, "empty": empty}


def main() -> None:
    """Answer requests until standard input closes."""
    _die_with_parent()
    replies = os.fdopen(os.dup(1), "w")
    log = os.open("pw.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    from qepy.driver import Driver

    driver = None
    for line in sys.stdin:
        request = json.loads(line)
        if driver is None:
            driver = Driver("pw.in")
        else:
            driver.update_ions(np.array(request["positions"], dtype=float))
        answer, arrays = _ground_state(driver, request)
        sys.stdout.flush()
        np.savez(Path("reply.npz"), allow_pickle=False, **arrays)
        replies.write(json.dumps(answer) + "\n")
        replies.flush()
    # The library crashes when it is torn down with wave functions in memory; there is nothing left to save.
    os._exit(0)


if __name__ == "__main__":
    main()
