"""What to cite for which number."""

from jovium.superconductivity import fits

METHODS = {
    "ELF": [
        "A. D. Becke and K. E. Edgecombe, J. Chem. Phys. 92, 5397 (1990), doi:10.1063/1.458517",
        "A. Savin et al., Angew. Chem. Int. Ed. 31, 187 (1992), doi:10.1002/anie.199201871",
    ],
    "networking value phi": [
        "F. Belli, T. Novoa, J. Contreras-Garcia and I. Errea, Nat. Commun. 12, 5381 (2021), "
        "doi:10.1038/s41467-021-25687-0",
    ],
    "critical points": [
        "V. Robins, P. J. Wood, A. P. Sheppard, IEEE Trans. PAMI 33, 1646 (2011), doi:10.1109/TPAMI.2011.95",
    ],
    "default functional (PBE)": [
        "J. P. Perdew, K. Burke, M. Ernzerhof, Phys. Rev. Lett. 77, 3865 (1996), doi:10.1103/PhysRevLett.77.3865",
    ],
    "default engine": [
        "P. Giannozzi et al., J. Phys.: Condens. Matter 29, 465901 (2017), doi:10.1088/1361-648X/aa8f79",
        "X. Shao et al., J. Open Source Softw. (QEpy); see the package qepy",
    ],
    "hydrogen pseudopotential": [
        "S. Goedecker, M. Teter, J. Hutter, Phys. Rev. B 54, 1703 (1996), doi:10.1103/PhysRevB.54.1703",
        "M. Krack, Theor. Chem. Acc. 114, 145 (2005), doi:10.1007/s00214-005-0655-y",
    ],
    "cross-check engine": ["Q. Sun et al., J. Chem. Phys. 153, 024109 (2020), doi:10.1063/5.0006074"],
}


def sources() -> dict[str, list[str]]:
    """References by topic: the methods, and every fit of the critical temperature under its name."""
    tc = [f"{fit.name}: {fits.SOURCES[fit.doi]}, doi:{fit.doi}" for fit in fits.FITS]
    return {**METHODS, "Tc, by the name of the fit": tc}
