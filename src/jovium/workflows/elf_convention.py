"""Which convention the ELF of a file follows, told by an ELF of our own.

Nothing in the values of a field shows the factor that Quantum ESPRESSO 7.0 to 7.5 loses: chi / 2^(2/3) is as smooth, as
symmetric and as well inside [0, 1] as chi, and at hydrogen atoms, where chi is 0, it is the same. But the atoms are in
the file: the network for hydrogen, or a coarse calculation for a small compound, tells the two apart in seconds.
"""

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from jovium.base.errors import JoviumError
from jovium.base.grid import GridField
from jovium.base.localization import corrected_qe_elf
from jovium.base.structure import Structure
from jovium.elf.model import shipped_model
from jovium.formats.provenance import Provenance
from jovium.reference.compounds import protocol_for
from jovium.reference.engine import open_engine
from jovium.reference.feasibility import duration, estimated_seconds
from jovium.reference.kohn_sham import CHEAP

QUICK = 30.0
"""Estimated seconds up to which a calculation is made unasked, about those that the rest of an analysis takes."""

LARGEST_ERROR, CLEARER = 0.1, 2.0
"""A convention is told when its RMSE is below the first number and by the second smaller than that of the other. The
factor moves the ELF by 0.1 and more; other pseudopotentials, and the errors of the network, by 0.01 to 0.04."""


@dataclass(frozen=True)
class ConventionCheck:
    """RMSE of the ELF of a file against one of our own by `engine`: as it stands, and with the factor restored."""

    engine: str
    rmse_as_it_stands: float
    rmse_mended: float

    @property
    def convention(self) -> str | None:
        """ "true" or "qe", None when neither fits clearly."""
        better, worse = sorted([self.rmse_as_it_stands, self.rmse_mended])
        if better > LARGEST_ERROR or worse <= CLEARER * better:
            return None
        return "qe" if self.rmse_mended < self.rmse_as_it_stands else "true"

    def __str__(self) -> str:
        errors = f"{self.rmse_mended:.3f} with it and {self.rmse_as_it_stands:.3f} without"
        return f"RMSE against the ELF of the {self.engine}: {errors} the factor 2^(2/3) that Quantum ESPRESSO loses"


def may_lack_factor(provenance: Provenance) -> bool:
    """True when a file is suspected of the error of Quantum ESPRESSO."""
    return provenance.elf_correction == "suspected" and provenance.code != "VASP"


def phi_of_both_conventions(phi: float) -> str:
    """A sentence: phi as it stands, and that of the mended field, whose levels are the same surfaces."""
    mended = corrected_qe_elf(np.array([phi]))[0]
    return f"phi_3d is {phi:.3f} if the ELF of the file is right, {mended:.3f} if it lacks the factor 2^(2/3)"


def check_convention(structure: Structure, elf: GridField) -> ConventionCheck | str:
    """The comparison, or in words why there is none."""
    try:
        if structure.is_pure_hydrogen:
            engine, own = "network", shipped_model().predict(structure, elf.shape).elf
        elif (seconds := estimated_seconds(structure, protocol_for(structure, CHEAP))) > QUICK:
            return f"a calculation would take roughly {duration(seconds)}"
        else:
            engine, own = "plane-wave engine", _computed(structure, elf.shape)
    except JoviumError as error:
        return error.got
    as_it_stands, mended = (
        float(np.sqrt(np.mean((values - own.values) ** 2))) for values in (elf.values, corrected_qe_elf(elf.values))
    )
    return ConventionCheck(engine, as_it_stands, mended)


def _computed(structure: Structure, shape: tuple[int, int, int]) -> GridField:
    with closing(open_engine()) as engine:
        return engine.ground_state(structure, protocol_for(structure, CHEAP), stress=False).localization(shape).elf
