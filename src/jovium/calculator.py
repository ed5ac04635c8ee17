"""The ELF network as an ASE calculator.

from jovium.calculator import ELF
atoms.calc = ELF()
atoms.calc.get_property("phi_3d", atoms)
"""

from typing import Any, ClassVar

from ase.calculators.calculator import Calculator, all_changes

from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.elf.model import ElfModel, elf_grid_shape, shipped_model
from jovium.topology.intervals import threshold_intervals
from jovium.topology.network import THRESHOLDS, hydrogen_network


class ELF(Calculator):
    """Properties of the electron localization function of hydrogen, prediction.

    elf: (nx, ny, nz), between 0 and 1; band: how far it may be off, of the same shape; phi_1d, phi_2d, phi_3d:
    isovalues at which the network spans 1, 2, 3 directions (the last is the networking value); phi_star: molecularity
    index; intervals: lowest and highest value of each inside the band; warnings: why the structure lies outside the
    training data. spacing: of the grid, angstrom. model: None for the one of the package.
    Raises StructureError for a structure that is not periodic hydrogen.
    """

    implemented_properties: ClassVar[list[str]] = [*("elf", "band", *THRESHOLDS, "intervals", "warnings")]

    def __init__(self, spacing: float = 0.1, model: ElfModel | None = None, **arguments: Any):
        super().__init__(**arguments)
        self.spacing, self.model = spacing, model or shipped_model()

    def calculate(self, atoms: Any = None, properties: Any = ("phi_3d",), system_changes: Any = all_changes) -> None:
        """Fill `results` with every property; ASE calls it when the atoms have changed."""
        super().calculate(atoms, properties, system_changes)
        if self.atoms is None:
            raise InputError("no atoms", "the atoms asked about", 'say calc.get_property("phi_3d", atoms)')
        structure = Structure.from_ase(self.atoms)
        prediction = self.model.predict(structure, elf_grid_shape(structure, self.spacing / BOHR_ANGSTROM))
        network = hydrogen_network(prediction.elf, structure.positions)
        self.results = {
            "elf": prediction.elf.values,
            "band": prediction.band.values,
            **{name: None if point is None else point.value for name, point in network.thresholds().items()},
            "intervals": threshold_intervals(
                network, prediction.elf, prediction.band, structure.positions, prediction.widenings
            ),
            "warnings": prediction.warnings,
        }
