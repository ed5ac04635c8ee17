"""The plane-wave engine against exact cases, derivatives and its own library."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, EngineMissing, InputError, NotConverged, OutputError, StructureError
from jovium.base.localization import corrected_qe_elf
from jovium.base.structure import Structure
from jovium.base.units import kelvin_to_hartree
from jovium.crystals import crystal
from jovium.reference import espresso as espresso_module
from jovium.reference import pseudopotential
from jovium.reference.engine import open_engine
from jovium.reference.kohn_sham import CHEAP, KohnShamSettings
from jovium.reference.pseudopotential import Pseudopotential

FEW_K = replace(CHEAP, k_spacing=None, k_mesh=(2, 2, 2))
GAMMA = replace(CHEAP, k_spacing=None, k_mesh=(1, 1, 1), k_offset=0.0)


def moved(structure: Structure, atom: int, shift: np.ndarray) -> Structure:
    positions = structure.positions.copy()
    positions[atom] += shift
    return Structure(structure.cell, positions, structure.symbols)


def test_density_integrates_to_the_number_of_electrons(espresso, tight_structure):
    state = espresso.ground_state(tight_structure, FEW_K)
    assert state.density.integral() == pytest.approx(3, abs=1e-8)
    assert state.density.values.min() > 0


def test_forces_are_the_negative_gradient_of_the_free_energy(espresso, tight_structure):
    forces = espresso.ground_state(tight_structure, FEW_K, fields=False).forces
    for atom, axis in ((0, 0), (1, 2)):
        step = 0.01 * np.eye(3)[axis]
        plus, minus = (
            espresso.ground_state(moved(tight_structure, atom, sign * step), FEW_K, fields=False).free_energy
            for sign in (1, -1)
        )
        assert forces[atom, axis] == pytest.approx(-(plus - minus) / 0.02, abs=2e-5)
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)


def test_stress_is_the_strain_derivative_of_the_free_energy(tight_structure):
    """A general strain of a triclinic cell: a transposed lattice or stress cannot pass. It keeps the volume, because
    the incomplete basis adds an isotropic stress that the energy of a fixed cutoff does not show."""
    protocol = replace(FEW_K, cutoff=40.0)
    strain = 0.01 * np.array([[0.3, 0.8, 0.2], [0.8, -0.5, 0.4], [0.2, 0.4, 0.2]])

    def free_energy(sign: float) -> float:
        deformation = np.eye(3) + sign * strain
        cell = Cell(tight_structure.cell.vectors @ deformation)
        strained = Structure(cell, tight_structure.positions @ deformation, tight_structure.symbols)
        engine = open_engine()
        try:
            return engine.ground_state(strained, protocol, fields=False).free_energy
        finally:
            engine.close()

    stress = open_engine().ground_state(tight_structure, protocol, fields=False).stress
    derivative = (free_energy(1) - free_energy(-1)) / 2 / tight_structure.cell.volume
    assert np.sum(stress * strain) == pytest.approx(derivative, rel=0.02)


def test_one_doubly_occupied_orbital_has_an_elf_of_one(espresso, molecule):
    """H2 alone: tau is exactly the von Weizsaecker density, D = 0."""
    elf = espresso.ground_state(molecule, replace(GAMMA, electronic_kT=kelvin_to_hartree(300))).localization().elf
    points = elf.points().reshape(-1, 3)
    near = np.linalg.norm(molecule.cell.minimum_image(points - molecule.positions.mean(axis=0)), axis=1) < 2.5
    assert elf.values.ravel()[near].min() > 0.999


def test_windowed_densities_equal_the_library_elf_when_the_window_is_off(espresso, tight_structure, monkeypatch):
    """Independent route: Quantum ESPRESSO's own ELF of the same run, its lost factor 2^(2/3) undone.

    The library adds 1e-5 rydberg to D before dividing; that is the tolerance.
    """
    pytest.importorskip("qepy")
    state = espresso.ground_state(tight_structure, replace(FEW_K, window=0.0))
    ours = state.localization().elf.values
    theirs = corrected_qe_elf(library_elf(tight_structure, replace(FEW_K, window=0.0)))
    assert np.abs(ours - theirs).max() < 1e-3
    assert np.abs(ours - library_elf(tight_structure, FEW_K)).max() > 0.05


def library_elf(structure: Structure, protocol: KohnShamSettings) -> np.ndarray:
    """ELF as the library's own do_elf writes it, computed in a process of its own."""
    import tempfile

    from jovium.reference.espresso_input import espresso_input
    from jovium.reference.pseudopotential import pseudopotential
    from jovium.reference.upf import upf

    script = (
        "import numpy as np, os\n"
        "from qepy.driver import Driver\n"
        "driver = Driver('pw.in', logfile='pw.out'); driver.scf(); driver.save('all')\n"
        "shape = tuple(int(n) for n in driver.get_number_of_grid_points())\n"
        "np.save('elf.npy', driver.get_elf()[:, 0].reshape(shape, order='F')); os._exit(0)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        text = espresso_input(structure, protocol.for_cell(structure.cell)).replace("'nowf'", "'low'")
        (Path(folder) / "pw.in").write_text(text)
        (Path(folder) / "H.upf").write_text(upf(pseudopotential("H", protocol.functional)))
        subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, capture_output=True)
        return np.load(Path(folder) / "elf.npy")


def test_window_changes_nothing_in_the_limit_of_a_high_cutoff(espresso, tight_structure):
    """The root mean square of ELF(window) - ELF(sharp) shrinks with the cutoff."""

    def difference(cutoff: float) -> float:
        sharp, windowed = (
            espresso.ground_state(tight_structure, replace(FEW_K, cutoff=cutoff, window=window))
            .localization((16, 18, 20))
            .elf.values
            for window in (0.0, 2.0)
        )
        return float(np.sqrt(np.mean((sharp - windowed) ** 2)))

    assert 0.0 < difference(60.0) < 0.5 * difference(15.0)


def test_supercell_with_the_matching_mesh_has_the_same_energy_and_elf(espresso, tight_structure):
    """Bloch's theorem: doubling the cell along b and halving the mesh there changes nothing."""
    single = replace(FEW_K, k_mesh=(2, 4, 2), k_offset=0.0)
    double = replace(FEW_K, k_mesh=(2, 2, 2), k_offset=0.0)
    one = espresso.ground_state(tight_structure, single)
    two = espresso.ground_state(tight_structure.supercell((1, 2, 1)), double)
    assert two.free_energy == pytest.approx(2 * one.free_energy, abs=1e-6)
    shape = (16, 18, 20)
    repeated = one.localization(shape).elf.supercell((1, 2, 1)).values
    assert np.abs(two.localization((16, 36, 20)).elf.values - repeated).max() < 1e-3


def test_warm_start_equals_cold_start(espresso, tight_structure):
    """Reused wave functions change how fast, not where the field converges."""
    espresso.ground_state(tight_structure, FEW_K)
    target = moved(tight_structure, 1, np.array([0.05, -0.03, 0.02]))
    warm = espresso.ground_state(target, FEW_K)
    espresso.close()
    cold = espresso.ground_state(target, FEW_K)
    assert warm.free_energy == pytest.approx(cold.free_energy, abs=3e-7)
    assert np.abs(warm.localization().elf.values - cold.localization().elf.values).max() < 1e-3


def test_lattice_translation_of_one_atom_changes_nothing(espresso, tight_structure):
    translated = moved(tight_structure, 2, tight_structure.cell.vectors[0] - tight_structure.cell.vectors[2])
    first = espresso.ground_state(tight_structure, FEW_K, fields=False).free_energy
    espresso.close()
    assert espresso.ground_state(translated, FEW_K, fields=False).free_energy == pytest.approx(first, abs=1e-7)


def test_record_holds_protocol_and_engine(espresso, tight_structure):
    record = espresso.ground_state(tight_structure, CHEAP, fields=False).record()
    assert record["engine"].startswith("Quantum ESPRESSO")
    assert record["k_mesh"] == list(CHEAP.mesh(tight_structure.cell))
    assert record["cutoff_hartree"] == 20.0


def test_missing_engine_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(espresso_module, "find_spec", lambda name: None)
    with pytest.raises(EngineMissing, match="pip install"):
        open_engine("espresso")


def test_unconverged_field_gives_an_error_and_no_number(tight_structure, monkeypatch):
    text = espresso_module.espresso_input

    def hopeless(*arguments, **how):
        return text(*arguments, **how).replace("electron_maxstep=100", "electron_maxstep=2")

    monkeypatch.setattr(espresso_module, "espresso_input", hopeless)
    with espresso_module.Espresso() as engine, pytest.raises(NotConverged, match="not converged after 2 iterations"):
        engine.ground_state(tight_structure, FEW_K)


def test_library_that_stops_is_reported_with_its_own_words(tight_structure, monkeypatch):
    text = espresso_module.espresso_input
    monkeypatch.setattr(
        espresso_module, "espresso_input", lambda *a, **k: text(*a, **k).replace("smearing='fd'", "smearing='no-such'")
    )
    with espresso_module.Espresso() as engine, pytest.raises(EngineError, match="Quantum ESPRESSO stopped"):
        engine.ground_state(tight_structure, FEW_K)


def test_too_hot_electrons_for_the_bands_are_refused(tight_structure, monkeypatch):
    monkeypatch.setattr(espresso_module, "MAXIMUM_TOP_OCCUPATION", -1.0)  # no number of bands is enough
    hot = replace(FEW_K, electronic_kT=kelvin_to_hartree(20000))
    with espresso_module.Espresso() as engine, pytest.raises(EngineError, match="highest of"):
        engine.ground_state(tight_structure, hot)


def test_killed_worker_gives_an_error_and_the_engine_recovers(tight_structure):
    with espresso_module.Espresso() as engine:
        engine.ground_state(tight_structure, FEW_K, fields=False)
        assert engine._worker is not None
        engine._worker.kill()
        engine._worker.wait()
        with pytest.raises(EngineError, match="stopped"):
            engine.ground_state(tight_structure, FEW_K, fields=False)
        assert engine.ground_state(tight_structure, FEW_K, fields=False).free_energy < 0


def test_scratch_is_removed(tight_structure):
    engine = espresso_module.Espresso()
    engine.ground_state(tight_structure, FEW_K, fields=False)
    scratch = engine._scratch
    assert scratch is not None
    assert scratch.exists()
    engine.close()
    assert not scratch.exists()


def test_overlapping_atoms_are_refused(espresso, tight_structure):
    positions = tight_structure.positions.copy()
    positions[1] = positions[0] + tight_structure.cell.vectors[1] + 0.1
    with pytest.raises(StructureError, match="angstrom apart"):
        espresso.ground_state(Structure(tight_structure.cell, positions, tight_structure.symbols), FEW_K)


def test_elements_without_a_pseudopotential_are_refused(espresso, tight_structure):
    actinide = Structure(tight_structure.cell, tight_structure.positions, ("U", "H", "H"))
    with pytest.raises(StructureError, match="U: no pseudopotential in GTH-PBE"):
        espresso.ground_state(actinide, FEW_K)


def test_uniform_gas_has_an_elf_of_one_half(monkeypatch):
    """Protons smeared over 2 bohr leave electrons at rs 1 almost uniform: ELF = 1/2 as far as the k-mesh resolves the
    Fermi sphere."""
    smeared = Pseudopotential("H", "GTH-PBE-smeared", (1,), 2.0, ())
    monkeypatch.setitem(pseudopotential._table("GTH-PBE"), "H", smeared)
    cell = Cell(np.array([[1.0, 0.1, -0.1], [0.2, 1.1, 0.1], [-0.1, 0.2, 1.2]]))
    gas = Structure(cell, np.zeros((1, 3)), ("H",)).at_rs(1.0)
    protocol = replace(CHEAP, k_spacing=None, k_mesh=(14, 14, 14), cutoff=40.0)
    with espresso_module.Espresso() as engine:
        state = engine.ground_state(gas, protocol)
    assert np.ptp(state.density.values) / state.density.mean() < 1e-3
    assert state.localization().elf.values == pytest.approx(0.5, abs=5e-3)


def test_entropy_is_positive_and_minus_the_temperature_derivative_of_the_free_energy(espresso, tight_structure):
    """S = -dF/dT at fixed protons; TS > 0 and E = F + TS."""
    kT, step = kelvin_to_hartree(20000), kelvin_to_hartree(500)
    states = {
        shift: espresso.ground_state(tight_structure, replace(FEW_K, electronic_kT=kT + shift), fields=False)
        for shift in (-step, 0.0, step)
    }
    derivative = (states[step].free_energy - states[-step].free_energy) / (2 * step)
    assert states[0.0].entropy_term > 0
    assert states[0.0].entropy_term / kT == pytest.approx(-derivative, rel=0.02)
    assert states[0.0].energy == states[0.0].free_energy + states[0.0].entropy_term


def test_bands_hold_the_thermal_tail_of_the_hottest_fluid(espresso, tight_structure):
    hot = replace(FEW_K, electronic_kT=kelvin_to_hartree(10000))
    state = espresso.ground_state(tight_structure.supercell((1, 2, 2)), hot, fields=False)
    assert state.top_occupation < 1e-4


def test_a_molecule_has_a_gap_and_a_metal_has_none(espresso, molecule):
    assert espresso.ground_state(molecule, GAMMA, fields=False).band_gap > 0.3
    assert espresso.ground_state(crystal("cs-iv", 1.3), CHEAP, fields=False).band_gap < 0


def test_a_grid_coarser_than_the_engine_samples_the_same_elf(espresso, tight_structure):
    """Every point of a coarse grid is a point of a fine one, with the same value: nothing is smoothed away."""
    state = espresso.ground_state(tight_structure, FEW_K)
    fine = state.localization((24, 28, 32)).elf.values
    assert state.localization((6, 7, 8)).elf.values == pytest.approx(fine[::4, ::4, ::4], abs=1e-9)


def test_interrupted_question_does_not_answer_the_next_one(tight_structure):
    """The answer that was on its way when the user interrupted must not become that of another structure."""
    other = moved(tight_structure, 1, np.array([0.2, 0.1, -0.1]))

    def interrupt(*_):
        raise KeyboardInterrupt

    with espresso_module.Espresso() as engine:
        expected = engine.ground_state(other, FEW_K, fields=False).free_energy
        previous = signal.signal(signal.SIGUSR1, interrupt)
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
        try:
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                engine.ground_state(tight_structure, replace(FEW_K, cutoff=60.0))
        finally:
            timer.cancel()
            signal.signal(signal.SIGUSR1, previous)
        assert engine.ground_state(other, FEW_K, fields=False).free_energy == pytest.approx(expected, abs=1e-7)


def test_scratch_of_a_killed_process_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(espresso_module.tempfile, "gettempdir", lambda: str(tmp_path))
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    stale = tmp_path / f"{espresso_module.SCRATCH_PREFIX}{finished.pid}-x"
    live = tmp_path / f"{espresso_module.SCRATCH_PREFIX}{os.getpid()}-y"
    stale.mkdir()
    live.mkdir()
    espresso_module.remove_stale_scratch()
    assert not stale.exists()
    assert live.exists()


def test_killed_parent_takes_its_worker_along(tight_structure, tmp_path):
    script = (
        "import sys, numpy as np\n"
        "from jovium.crystals import crystal\n"
        "from jovium.reference.espresso import Espresso\n"
        "from jovium.reference.kohn_sham import CHEAP\n"
        "engine = Espresso(); engine.ground_state(crystal('bcc', 1.4), CHEAP, fields=False)\n"
        "print(engine._worker.pid, flush=True); sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and Path(f"/proc/{worker}").exists():
        if Path(f"/proc/{worker}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{worker}").exists()


@pytest.mark.parametrize(
    ("box", "changes", "message"),
    [(400.0, {}, "plane waves"), (3.0, {"electronic_kT": kelvin_to_hartree(1e6)}, "bands for")],
)
def test_impossible_calculations_are_refused_before_they_start(espresso, box, changes, message):
    atom = Structure(Cell(np.eye(3) * box), np.zeros((1, 3)), ("H",))
    with pytest.raises(InputError, match=message):
        espresso.ground_state(atom, replace(GAMMA, **changes))


def test_full_scratch_disk_is_an_output_error(tight_structure, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(espresso_module.tempfile, "mkdtemp", full)
    with espresso_module.Espresso() as engine, pytest.raises(OutputError, match="No space left"):
        engine.ground_state(tight_structure, FEW_K)


@pytest.mark.parametrize(("name", "rs", "cutoff"), [("bcc", 0.86, 20), ("bcc", 0.9, 20), ("sc", 1.3, 10)])
def test_few_plane_waves_per_band_are_diagonalised(espresso, name, rs, cutoff):
    """Two or three of them: the subspace of the usual method has no positive overlap ("cdiaghg"). The energy belongs
    to that of a larger basis: it lies above it, and not by much."""
    energies = [
        espresso.ground_state(
            crystal(name, rs), replace(CHEAP, cutoff=e, electronic_kT=kelvin_to_hartree(300.0)), fields=False
        ).free_energy
        for e in (cutoff, 3 * cutoff)
    ]
    assert 0 < energies[0] - energies[1] < 0.1


def test_the_quick_and_the_robust_diagonalisation_agree(monkeypatch, tight_structure):
    from jovium.reference import espresso_input

    found = []
    for method in ("david", "cg"):
        monkeypatch.setattr(espresso_input, "diagonalization", lambda *_, method=method: method)
        with espresso_module.Espresso() as engine:
            found.append(engine.ground_state(tight_structure, FEW_K, fields=False))
    assert found[0].free_energy == pytest.approx(found[1].free_energy, abs=3 * 3e-8)
    np.testing.assert_allclose(found[0].forces, found[1].forces, atol=1e-4)


@pytest.mark.parametrize(("kelvin", "is_hot"), [(300.0, False), (60000.0, True)])
def test_too_few_plane_waves_are_refused_with_advice_that_helps(espresso, kelvin, is_hot):
    """A lower temperature helps where it is what makes the bands many."""
    with pytest.raises(InputError, match="twice as many plane waves") as refused:
        espresso.ground_state(crystal("bcc", 0.8), replace(CHEAP, electronic_kT=kelvin_to_hartree(kelvin)))
    assert "raise the cutoff" in refused.value.do
    assert ("lower electronic temperature" in refused.value.do) == is_hot
