"""Relaxation of a crystal at a pressure: its enthalpy F + P V at the minimum that keeps the space group.

F is the free energy of the electrons in the field of nuclei at rest: the pressure is static, without the zero-point
motion of the protons. Cell and atoms move together, along the forces and the stress of the engine averaged over the
space group (ASE: FrechetCellFilter, FixSymmetry), by BFGS. Every step is a calculation of its own at the full cutoff,
so no basis of an earlier cell is left in the result.
"""

from collections.abc import Callable
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from jovium.base.errors import EngineError, InputError, NotConverged, StructureError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, HARTREE_EV, PRESSURE_GPA
from jovium.base.validity import require_apart
from jovium.reference.compounds import protocol_for
from jovium.reference.engine import Engine, open_engine
from jovium.reference.kohn_sham import PRODUCTION, KohnShamSettings
from jovium.reference.state import GroundState
from jovium.reference.symmetry import space_group

if TYPE_CHECKING:
    from ase import Atoms

EV_PER_CUBIC_ANGSTROM = HARTREE_EV / BOHR_ANGSTROM**3
"""Of one hartree/bohr^3."""

SYMMETRY_TOLERANCE = 0.01
"""Distance (bohr) within which a structure has a symmetry: files print 1/3 as 0.333. It then has it exactly."""

LARGEST_FORCE = 5e-4
"""Force on an atom (hartree/bohr) at which it is at rest."""

LARGEST_STRESS = 0.5 / PRESSURE_GPA
"""Element of stress + P (hartree/bohr^3) at which a cell is at rest: 0.5 GPa."""

STIFFNESS = 20.0
"""Curvature (eV/angstrom^2) that the first step takes for every coordinate; steps learn the true ones."""

MODULUS = 100 / PRESSURE_GPA, 4.0
"""Bulk modulus B + B' P (hartree/bohr^3) of a hydride, which weighs the first step of the cell against the atoms."""

LARGEST_STEP = 0.2
"""Angstrom in one step."""

LARGEST_EXPANSION = 8.0
"""Ratio of the volumes beyond which a structure falls apart: atomic hydrogen of 500 GPa at zero pressure has 3."""

LARGEST_PRESSURE_GPA = 1e4
"""Beyond it the cores of the pseudopotentials overlap."""


@dataclass(frozen=True)
class Relaxation:
    """A structure at the minimum of its enthalpy under its own symmetry, atomic units.

    structure: the relaxed one, its notes say when its symmetry has become higher. pressure: the one asked for, static;
    state: of the electrons, by the engine; n_steps: calculations it took; space_group: its symbol and number."""

    structure: Structure
    pressure: float
    state: GroundState
    n_steps: int
    space_group: str

    @property
    def enthalpy(self) -> float:
        """F + P V (hartree per cell)."""
        return self.state.free_energy + self.pressure * self.structure.cell.volume

    @property
    def pressure_gpa(self) -> float:
        """The pressure asked for, gigapascal; `state.pressure` is what was reached."""
        return self.pressure * PRESSURE_GPA


class EngineCalculator(Calculator):
    """A first-principles engine as a calculator of ASE: energy and free energy (both are the Mermin free energy, whose
    derivatives are the others; eV), forces (eV/angstrom) and stress (eV/angstrom^3; xx, yy, zz, yz, xz, xy, tension
    positive). Raises what the engine raises."""

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, engine: Engine, protocol: KohnShamSettings = PRODUCTION, **arguments: Any):
        super().__init__(**arguments)
        self.engine, self.protocol = engine, protocol
        self.state: GroundState | None = None

    def calculate(self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes) -> None:
        """Fill `results` with every property; ASE calls it when the atoms have changed."""
        super().calculate(atoms, properties, system_changes)
        if self.atoms is None:
            raise InputError("no atoms", "the atoms asked about", "say atoms.calc = ..., atoms.get_potential_energy()")
        state = self.engine.ground_state(Structure.from_ase(self.atoms), self.protocol, fields=False)
        if state.forces is None or state.stress is None:
            raise EngineError(f"no forces or no stress from {state.engine}", "an engine with both", "take espresso")
        i, j = [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]
        self.state = state
        self.results = {
            "energy": state.free_energy * HARTREE_EV,
            "free_energy": state.free_energy * HARTREE_EV,
            "forces": state.forces * (HARTREE_EV / BOHR_ANGSTROM),
            "stress": state.stress[i, j] * EV_PER_CUBIC_ANGSTROM,
        }


def relax(
    structure: "Structure | Atoms",
    pressure_gpa: float = 0.0,
    settings: KohnShamSettings | None = None,
    engine: str | Engine = "espresso",
    *,
    max_steps: int = 60,
    progress: Callable[[str], object] = lambda text: None,
) -> Relaxation:
    """The crystal at rest under a static pressure: cell and positions at the minimum of F + P V, space group kept.

        relaxed = relax(structure, pressure_gpa=200)
        relaxed.structure, relaxed.enthalpy, relaxed.n_steps

    structure: of Jovium or ASE. pressure_gpa: gigapascal, without the zero-point motion of the nuclei. settings: None
    for those of `protocol_for`; their k-mesh grows with a reciprocal cell that grows. engine: its name, or an open one.
    max_steps: calculations at most. progress: called with a line after each. At the end every force is below 5e-4
    hartree/bohr and every element of the stress within 0.5 GPa of the pressure. Raises InputError for a pressure or
    max_steps that cannot be, NotConverged after max_steps, StructureError for atoms that move into each other or a cell
    that falls apart, and what the engine raises."""
    if not isinstance(structure, Structure):
        if not hasattr(structure, "get_chemical_formula"):
            got, do = f"a structure of type {type(structure).__name__}", "say relax(read_structure(path), ...)"
            raise InputError(got, "a Structure or ase.Atoms", do)
        structure = Structure.from_ase(structure)
    if not abs(pressure_gpa) <= LARGEST_PRESSURE_GPA:
        expected = f"a number within +-{LARGEST_PRESSURE_GPA:g} GPa"
        raise InputError(f"a pressure of {pressure_gpa} GPa", expected, "check its unit")
    if max_steps < 1:
        raise InputError(f"{max_steps} steps of a relaxation", "1 or more", "60 is the default")
    require_apart(structure)
    protocol, group = settings or protocol_for(structure), space_group(structure, SYMMETRY_TOLERANCE)
    atoms = structure.to_ase()
    steps_follow = {"adjust_positions": False, "adjust_cell": False}  # the forces and the stress that are averaged
    atoms.set_constraint(FixSymmetry(atoms, SYMMETRY_TOLERANCE * BOHR_ANGSTROM, **steps_follow))
    with closing(open_engine(engine, forces=True)) if isinstance(engine, str) else nullcontext(engine) as opened:
        mesh, n_steps = protocol.mesh(structure.cell), 0
        while True:
            calculator = EngineCalculator(opened, replace(protocol, k_mesh=mesh, k_spacing=None))
            n_steps += _descend(atoms, calculator, pressure_gpa / PRESSURE_GPA, max_steps - n_steps, progress)
            needed = protocol.mesh(_structure(atoms, structure).cell)
            denser = (max(mesh[0], needed[0]), max(mesh[1], needed[1]), max(mesh[2], needed[2]))
            if denser == mesh:
                break
            mesh = denser
    relaxed, state = _structure(atoms, structure), calculator.state
    assert state is not None
    found = space_group(relaxed)
    if found != group:
        relaxed = relaxed.noted(f"the relaxation led from the space group {group} to {found}")
    return Relaxation(relaxed, pressure_gpa / PRESSURE_GPA, state, n_steps, found)


def towards_rest(
    structure: Structure, pressure_gpa: float, n_steps: int, engine: Engine, protocol: KohnShamSettings
) -> Structure:
    """The structure after at most n_steps calculations of its relaxation under a pressure, without constraint: what a
    structure search meets on its way. Raises StructureError for atoms that move into each other or a cell that
    falls apart, and what the engine raises."""
    atoms, fixed_mesh = structure.to_ase(), protocol.for_cell(structure.cell)
    with suppress(NotConverged):
        _descend(atoms, EngineCalculator(engine, fixed_mesh), pressure_gpa / PRESSURE_GPA, n_steps, lambda text: None)
    return _structure(atoms, structure)


def _structure(atoms: "Atoms", original: Structure) -> Structure:
    """Atoms of ASE with the symbols and notes of the original."""
    return replace(Structure.from_ase(atoms), symbols=original.symbols, notes=original.notes)


def _descend(
    atoms: "Atoms", calculator: EngineCalculator, pressure: float, max_steps: int, progress: Callable[[str], object]
) -> int:
    """Move atoms and cell until they are at rest; the number of calculations."""
    volume, modulus = atoms.cell.volume, (MODULUS[0] + MODULUS[1] * abs(pressure)) * EV_PER_CUBIC_ANGSTROM
    atoms.calc = calculator
    moving: Any = FrechetCellFilter(
        atoms,
        scalar_pressure=pressure * EV_PER_CUBIC_ANGSTROM,
        exp_cell_factor=max(1.0, np.sqrt(3 * volume * modulus / STIFFNESS)),
    )
    steps = BFGS(moving, logfile=None, alpha=STIFFNESS, maxstep=LARGEST_STEP).irun(fmax=0, steps=max(0, max_steps - 1))
    n_steps, force, stress = 0, np.inf, np.inf
    try:
        for n_steps, _ in enumerate(steps, 1):
            force = np.abs(atoms.get_forces()).max() * BOHR_ANGSTROM / HARTREE_EV
            stress = np.abs(atoms.get_stress(voigt=False) / EV_PER_CUBIC_ANGSTROM + pressure * np.eye(3)).max()
            progress(f"step {n_steps}: force {force:.1e} hartree/bohr, stress {stress * PRESSURE_GPA:.2f} GPa off")
            if force < LARGEST_FORCE and stress < LARGEST_STRESS:
                return n_steps
            if atoms.cell.volume > LARGEST_EXPANSION * volume:
                got = f"a cell {atoms.cell.volume / volume:.1f} times as large as at the start, still growing"
                raise StructureError(got, "a crystal that holds together", "take a higher pressure")
    except StructureError as error:
        if not n_steps:
            raise
        raise StructureError(
            f"after {n_steps} steps of the relaxation {error.got}", error.expected, error.do
        ) from error
    raise NotConverged(
        f"after {n_steps} steps of the relaxation a force of {force:.1e} hartree/bohr and a stress that is "
        f"{stress * PRESSURE_GPA:.2f} GPa off",
        f"below {LARGEST_FORCE:.0e} hartree/bohr and {LARGEST_STRESS * PRESSURE_GPA:g} GPa",
        "begin with a structure nearer to this pressure",
    )
