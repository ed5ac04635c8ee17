"""`jovium cite`: what to cite for which number."""

import argparse

HELP = "what to cite"
DESCRIPTION = "The sources of the methods behind each number, to be cited with it."

SOURCES = {
    "ELF": [
        "A. D. Becke and K. E. Edgecombe, J. Chem. Phys. 92, 5397 (1990), doi:10.1063/1.458517",
        "A. Savin et al., Angew. Chem. Int. Ed. 31, 187 (1992), doi:10.1002/anie.199201871",
    ],
    "networking value phi and Tc fits": [
        "F. Belli et al., Nat. Commun. 12, 5381 (2021), doi:10.1038/s41467-021-25687-0",
    ],
    "critical points": [
        "V. Robins, P. J. Wood, A. P. Sheppard, IEEE Trans. PAMI 33, 1646 (2011), doi:10.1109/TPAMI.2011.95",
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


def configure(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the list."""
    for topic, sources in SOURCES.items():
        print(f"{topic}:")
        for source in sources:
            print(f"  {source}")
    return 0
