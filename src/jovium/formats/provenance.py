"""Who wrote a field, and whether its ELF follows the definition of `jovium.base.localization`.

Quantum ESPRESSO 7.0 to 7.5 writes chi / 2^(2/3) in place of chi for unpolarised systems. Its files hold no version:
pp.x titles every cube ' Cubefile created from PWScf calculation' (PP/src/cube.f90) and every XSF grid '3D_PWSCF'
(PP/src/xsf.f90), whatever the version, the spin treatment or the quantity. So a file alone makes the error likely,
never certain, unless somebody wrote code, version and spin into the comment lines.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

import jovium
from jovium.base.errors import FormatError, InputError
from jovium.base.localization import corrected_qe_elf
from jovium.formats.quantity import ELF_TOLERANCE, other_quantity

ELF_CONVENTIONS = ("auto", "true", "qe")
_STAMP = re.compile(r"jovium (\S+), (true ELF|ELF convention unknown|field)")
_QE_NAME = re.compile(r"PWSCF|Quantum[ -]?ESPRESSO", re.IGNORECASE)
_QE_VERSION = re.compile(r"(?:PWSCF|Quantum[ -]?ESPRESSO|pp\.x)[ ,:]*(?:version|v\.?)? *(\d+)\.(\d+)", re.IGNORECASE)
_UNPOLARISED = re.compile(r"nspin *= *1\b|unpolari[sz]ed|no[nt][- ]?(?:spin[- ]?)?polari[sz]ed", re.IGNORECASE)
_POLARISED = re.compile(r"nspin *= *[24]\b|spin[ -]polari[sz]ed", re.IGNORECASE)
_ELF = re.compile(r"\bELF\b|electron locali[sz]ation", re.IGNORECASE)
_PYSCF = re.compile(r"PySCF Version: *(\S+)")


@dataclass(frozen=True)
class Provenance:
    """Origin of a field.

    code, version: the program that wrote it, as far as the file tells. elf_correction: "none" (values as in the
    file), "applied" (the Quantum ESPRESSO prefactor was restored) or "suspected" (values as in the file, probably
    needing the correction). warnings: what a user should know, one sentence each. quantity: what the title says the
    field is, when it says that it is no ELF.
    """

    code: str | None
    version: str | None
    elf_correction: Literal["none", "applied", "suspected"]
    warnings: tuple[str, ...]
    quantity: str | None = None


def stamp(values: Float[np.ndarray, "*shape"], provenance: Provenance | None) -> str:
    """The line that Jovium writes into its own files, so that they are never corrected twice."""
    kind = "true ELF" if is_elf_range(values) else "field"
    if provenance is not None and provenance.quantity is not None:
        kind = "field"
    elif provenance is not None and provenance.elf_correction == "suspected":
        kind = "ELF convention unknown"
    return f"jovium {jovium.__version__}, {kind}"


def is_elf_range(values: Float[np.ndarray, "*shape"]) -> bool:
    """True when every value could be an ELF."""
    return bool(values.min() >= -ELF_TOLERANCE and values.max() <= 1 + ELF_TOLERANCE)


def interpret(
    values: Float[np.ndarray, "*shape"], header: tuple[str, ...], code: str | None, elf_convention: str
) -> tuple[Float[np.ndarray, "*shape"], Provenance]:
    """Values under the ELF definition of Jovium, and where they come from.

    header: comment lines of the file. code: the program its format implies. elf_convention: "true" takes the
    values as they are, "qe" applies `corrected_qe_elf`, "auto" applies it when the header makes it certain and
    warns when it is likely. Raises InputError for another convention, FormatError when "qe" is asked for values
    that are no ELF.
    """
    if elf_convention not in ELF_CONVENTIONS:
        raise InputError(
            f"ELF convention '{elf_convention}'",
            f"one of {', '.join(ELF_CONVENTIONS)}",
            "use qe for an unpolarised ELF of Quantum ESPRESSO 7.0 to 7.5, true for any other",
        )
    provenance = _parse_header_text(" | ".join(header), code)
    if provenance.code != "jovium":
        provenance = replace(provenance, quantity=other_quantity(header))
    if elf_convention == "true":
        return values, replace(provenance, elf_correction="none", warnings=())
    if elf_convention == "qe" or provenance.elf_correction == "applied":
        return _undo_qe_prefactor(values, elf_convention), replace(provenance, elf_correction="applied", warnings=())
    if provenance.elf_correction == "suspected" and not is_elf_range(values):
        return values, replace(provenance, elf_correction="none", warnings=())
    return values, provenance


def _undo_qe_prefactor(values: np.ndarray, elf_convention: str) -> np.ndarray:
    if not is_elf_range(values):
        raise FormatError(
            f"values from {values.min():.4g} to {values.max():.4g} to be corrected as an ELF",
            "values between 0 and 1",
            f"check that the file holds an ELF (pp.x plot_num = 8), or read it with the convention true, "
            f"not {elf_convention}",
        )
    # ELF = 0 means chi = infinity, with or without the prefactor.
    return corrected_qe_elf(np.clip(values, 0.0, 1.0))


def _parse_header_text(text: str, code: str | None) -> Provenance:
    if own := _STAMP.search(text):
        return _jovium(own.group(1), own.group(2))
    if code == "Quantum ESPRESSO" or _QE_NAME.search(text):
        return _quantum_espresso(text)
    if pyscf := _PYSCF.search(text):
        return Provenance("PySCF", pyscf.group(1), "none", ())
    return Provenance(code, None, "none", ())


def _jovium(version: str, kind: str) -> Provenance:
    if kind != "ELF convention unknown":
        return Provenance("jovium", version, "none", (), "a field that is no ELF" if kind == "field" else None)
    warning = "this file was converted from one whose ELF convention was not known; read the original with qe or true"
    return Provenance("jovium", version, "suspected", (warning,))


def _quantum_espresso(text: str) -> Provenance:
    match = _QE_VERSION.search(text)
    version = f"{match.group(1)}.{match.group(2)}" if match else None
    affected = match is None or (7, 0) <= (int(match.group(1)), int(match.group(2))) <= (7, 5)
    polarised = bool(_POLARISED.search(text)) and not _UNPOLARISED.search(text)
    if not affected or polarised:
        return Provenance("Quantum ESPRESSO", version, "none", ())
    if match and _UNPOLARISED.search(text) and _ELF.search(text):
        return Provenance("Quantum ESPRESSO", version, "applied", ())
    warning = (
        "written by Quantum ESPRESSO; if this is an unpolarised ELF of version 7.0 to 7.5 its values are wrong "
        "(D/D0 too small by 2^(2/3)): read it with the ELF convention qe, otherwise with true"
    )
    return Provenance("Quantum ESPRESSO", version, "suspected", (warning,))
