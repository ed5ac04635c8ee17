"""Where an ELF comes from: a file, the network, or a calculation from first principles."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from jovium.base.errors import JoviumError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import HARTREE_EV
from jovium.elf.calibration import COVERAGE
from jovium.elf.model import shipped_model
from jovium.formats.fields import elf_of, read_field
from jovium.reference.compounds import protocol_for
from jovium.reference.engine import open_engine
from jovium.reference.feasibility import estimated_seconds
from jovium.reference.kohn_sham import CHEAP, KohnShamSettings
from jovium.reference.state import GroundState
from jovium.superconductivity.dos import DensityOfStates, HydrogenDos
from jovium.topology.intervals import Widening
from jovium.workflows.density_of_states import computed_hydrogen_dos, density_of_states, is_metal
from jovium.workflows.elf_convention import ConventionCheck, check_convention, may_lack_factor

Progress = Callable[[str], object]
"""What is told the stage that begins."""

Shape = tuple[int, int, int]

QUICK_STATES = 10.0
"""Estimated seconds up to which the density of states of a predicted structure is computed unasked."""


@dataclass(frozen=True)
class ElfField:
    """An ELF on a grid and what is known about it: how it was made, and warnings. band: how far a predicted field may
    be off; widenings: what that says of its thresholds (`ElfModel`). states, hydrogen_dos: of a computed one,
    the density of states, and of a compound the part of hydrogen in it. may_lack_factor: see
    `jovium.workflows.elf_convention`."""

    field: GridField
    record: dict[str, object]
    warnings: tuple[str, ...] = ()
    states: DensityOfStates | None = None
    hydrogen_dos: HydrogenDos | None = None
    band: GridField | None = None
    widenings: Mapping[str, Widening] | None = None
    may_lack_factor: bool = False


def read_elf(path: Path, elf_convention: str, progress: Progress = lambda stage: None) -> tuple[Structure, ElfField]:
    """Structure and ELF of a field file, with what the file tells about its origin. When it may lack the factor that
    Quantum ESPRESSO loses, and a comparison is quick, the file is mended or taken as it stands by what that says."""
    file = read_field(path, elf_convention=elf_convention)
    field, doubts = elf_of(file, is_sure=elf_convention != "auto")
    check = None
    if may_lack_factor(file.provenance):
        progress("comparing the ELF with one made for its atoms")
        check = check_convention(file.structure, field)
        if isinstance(check, ConventionCheck) and check.convention:
            file = read_field(path, elf_convention=check.convention)
            field, doubts = elf_of(file)
        if file.provenance.elf_correction != "none":
            verdict = {"applied": "mended", "suspected": "not certain whether to be mended"}
            doubts += (f"the ELF was {verdict[file.provenance.elf_correction]}: {check}",)
    record: dict[str, object] = {
        "engine": "none: field file",
        "field_file": path.name,
        "code": file.provenance.code,
        "code_version": file.provenance.version,
        "elf_correction": file.provenance.elf_correction,
        "elf_convention_check": str(check) if check else None,
    }
    lacks = may_lack_factor(file.provenance)
    return file.structure, ElfField(field, record, file.provenance.warnings + doubts, may_lack_factor=lacks)


def predict_elf(structure: Structure, shape: Shape) -> ElfField:
    """ELF of a structure by the network, on a grid."""
    model = shipped_model()
    predicted = model.predict(structure, shape)
    covered = f"{COVERAGE:.0%} of the points"
    record: dict[str, object] = {"engine": "network", "band_covers": covered, **model.card}
    warnings = [f"outside the training data, {reason}" for reason in predicted.warnings]
    return ElfField(
        predicted.elf,
        record,
        tuple(warnings),
        band=predicted.band,
        widenings=predicted.widenings,
    )


def compute_elf(
    structure: Structure, shape: Shape, engine: str, protocol: KohnShamSettings, *, sure: bool = False
) -> ElfField:
    """ELF of a structure by a first-principles engine, on a grid. Raises as `Engine.ground_state`."""
    with closing(open_engine(engine, sure=sure)) as opened:
        state = opened.ground_state(structure, protocol)
    localization = state.localization(shape)
    warnings = [*gap_warnings(state), *cutoff_warnings(structure, engine, protocol)]
    fraction = localization.n_negative / localization.elf.values.size
    if fraction > 0.01:
        warnings.append(f"D = tau - |grad n|^2/8n is slightly negative (set to 0) on {fraction:.1%} of the grid points")
    if localization.n_vacuum:
        warnings.append(f"{localization.n_vacuum} grid points below the density floor count as vacuum (ELF 0)")
    return ElfField(
        localization.elf, state.record(), tuple(warnings), density_of_states(state), computed_hydrogen_dos(state)
    )


def cutoff_warnings(structure: Structure, engine: str, protocol: KohnShamSettings) -> list[str]:
    """What a cutoff below that of the cheap protocol means; nothing for hydrogen, and for Gaussians."""
    cheap = protocol_for(structure, replace(CHEAP, functional=protocol.functional)).cutoff
    if engine != "espresso" or structure.is_pure_hydrogen or protocol.cutoff >= cheap:
        return []
    low = f"a cutoff of {protocol.cutoff:g} hartree, where these elements need {cheap:g} even of the cheap protocol"
    return [f"{low}: the pressure is not converged"]


def gap_warnings(state: GroundState) -> list[str]:
    """What a band gap over the mesh of k-points means for Tc."""
    if state.band_gap is None or state.band_gap <= 0:
        return []
    gap = f"a band gap of {state.band_gap * HARTREE_EV:.2f} eV over the k-mesh"
    if state.levels is not None and is_metal(state.levels) is False:
        return [f"{gap}: no density of states at the Fermi level, no Tc"]
    return [f"{gap}, below kT of the electrons: whether it is a metal is open, and so is Tc"]


def with_states(predicted: ElfField, structure: Structure) -> ElfField:
    """A predicted ELF with the density of states of a coarse calculation, which says whether hydrogen is a metal; the
    same without it when the engine is missing or would take long."""
    protocol = protocol_for(structure, CHEAP)
    try:
        if estimated_seconds(structure, protocol) > QUICK_STATES:
            return predicted
        with closing(open_engine()) as engine:
            state = engine.ground_state(structure, protocol, fields=False, stress=False)
    except JoviumError:
        return predicted
    record = predicted.record | {"states": "by the plane-wave engine, protocol cheap"}
    warnings = (*predicted.warnings, *gap_warnings(state))
    return replace(predicted, record=record, warnings=warnings, states=density_of_states(state))
