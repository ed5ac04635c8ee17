"""What to cite for which number: the sources of each method, below the topic."""

import json
from contextlib import suppress
from pathlib import Path

from jovium.base.errors import InputError
from jovium.superconductivity import fits

VARIATIONAL = """\
sampling:
  Metropolis et al., J. Chem. Phys. 21, 1087 (1953)
  Langevin steps with rejection: Rossky, Doll, Friedman, J. Chem. Phys. 69, 4628 (1978)
  warm-up and effective samples: Chodera, J. Chem. Theory Comput. 12, 1799 (2016)
optimisation:
  natural gradient: Amari, Neural Comput. 10, 251 (1998)
  in the space of samples (minSR): Chen and Heyl, arXiv:2302.01941
  with momentum (SPRING): Goldshlager, Abrahamsen, Lin, arXiv:2401.10190
  Adam: Kingma and Ba, arXiv:1412.6980
Coulomb energy of a periodic cell:
  Ewald, Ann. Phys. 369, 253 (1921)
  Allen and Tildesley, Computer Simulation of Liquids, 6.3
"""
"""Methods of every kind of variational run."""

PROTONS = """\
continuous normalizing flow:
  Chen et al., arXiv:1806.07366
  integration: Dormand and Prince, J. Comput. Appl. Math. 6, 19 (1980)
training on data:
  flow matching: Lipman et al., arXiv:2210.02747
  assignment of particles: Klein et al., arXiv:2306.15030
free energy from samples of a model:
  Zwanzig, J. Chem. Phys. 22, 1420 (1954)
  Bennett, J. Comput. Phys. 22, 245 (1976); Shirts et al., Phys. Rev. Lett. 91, 140601 (2003)
  annealing: Jarzynski, Phys. Rev. Lett. 78, 2690 (1997); Neal, Stat. Comput. 11, 125 (2001)
rejection of improbable samples:
  Grover et al., arXiv:1804.01712
chains of proposals by a flow:
  Hastings, Biometrika 57, 97 (1970)
  Albergo, Kanwar, Shanahan, Phys. Rev. D 100, 034515 (2019)
test potentials dw4 and lj13:
  Koehler, Klein, Noe, arXiv:2006.02425
"""

ELECTRONS = """\
geminals:
  Casula and Sorella, J. Chem. Phys. 119, 6500 (2003)
  Attaccalite and Sorella, Phys. Rev. Lett. 100, 114501 (2008)
backflow by message passing:
  Feynman and Cohen, Phys. Rev. 102, 1189 (1956)
  Pescia et al., Phys. Rev. B 110, 035108 (2024)
periodic coordinates:
  Cassella et al., Phys. Rev. Lett. 130, 036401 (2023)
local kinetic energy (forward Laplacian):
  Li et al., Nat. Mach. Intell. 6, 209 (2024)
twists:
  Monkhorst and Pack, Phys. Rev. B 13, 5188 (1976)
"""

FREE_ENERGY = """\
variational free energy of dense hydrogen:
  Xie, Li, Wang, Zhang, Wang, Phys. Rev. Lett. 131, 126501 (2023)
  Li et al., arXiv:2507.18540
energy surface for warm-up:
  Drautz, Phys. Rev. B 99, 014104 (2019)
"""

ELF = """\
ELF:
  A. D. Becke and K. E. Edgecombe, J. Chem. Phys. 92, 5397 (1990), doi:10.1063/1.458517
  A. Savin et al., Angew. Chem. Int. Ed. 31, 187 (1992), doi:10.1002/anie.199201871
ELF network:
  Fourier neural operator: Li et al., arXiv:2010.08895
  vectors among the hidden fields: Schuett et al., arXiv:2102.03150
  long waves of a residual: arXiv:2604.26445
  training (SOAP): Vyas et al., arXiv:2409.11321
  band: Papadopoulos et al., Lect. Notes Comput. Sci. 2430, 345 (2002); V. Vovk, Ann. Math. Artif. Intell. 74, 9 (2015)
networking value phi:
  F. Belli, T. Novoa, J. Contreras-Garcia and I. Errea, Nat. Commun. 12, 5381 (2021), doi:10.1038/s41467-021-25687-0
critical points:
  V. Robins, P. J. Wood, A. P. Sheppard, IEEE Trans. PAMI 33, 1646 (2011), doi:10.1109/TPAMI.2011.95
default functional (PBE):
  J. P. Perdew, K. Burke, M. Ernzerhof, Phys. Rev. Lett. 77, 3865 (1996), doi:10.1103/PhysRevLett.77.3865
default engine:
  P. Giannozzi et al., J. Phys.: Condens. Matter 29, 465901 (2017), doi:10.1088/1361-648X/aa8f79
  X. Shao et al., J. Open Source Softw. (QEpy); see the package qepy
pseudopotentials:
  S. Goedecker, M. Teter, J. Hutter, Phys. Rev. B 54, 1703 (1996), doi:10.1103/PhysRevB.54.1703
  with projectors: C. Hartwigsen, S. Goedecker, J. Hutter, Phys. Rev. B 58, 3641 (1998), doi:10.1103/PhysRevB.58.3641
  M. Krack, Theor. Chem. Acc. 114, 145 (2005), doi:10.1007/s00214-005-0655-y
H_DOS from projections on orthogonal atomic orbitals:
  P.-O. Loewdin, J. Chem. Phys. 18, 365 (1950), doi:10.1063/1.1747632
space groups:
  A. Togo, K. Shinohara, I. Tanaka, Sci. Technol. Adv. Mater. Methods 4, 2384822 (2024)
cross-check engine:
  Q. Sun et al., J. Chem. Phys. 153, 024109 (2020), doi:10.1063/5.0006074
Tc, by the name of the fit:
""" + "".join(f"  {fit.name}: {fits.SOURCES[fit.doi]}, doi:{fit.doi}\n" for fit in fits.FITS)

BY_KIND = {
    "free_energy": FREE_ENERGY + PROTONS + ELECTRONS + VARIATIONAL,
    "protons": PROTONS + VARIATIONAL,
    "electrons": ELECTRONS + VARIATIONAL,
    "elf": ELF,
}
"""Sources by the kind of a run."""


def cite(run: str | Path | None = None) -> str:
    """What to cite, by topic: for all methods, or for those that a run folder used, by the kind in its config.json.

    A folder that does not say its kind gets all. Raises InputError when there is no such folder.
    """
    kind = None
    if run is not None:
        if not Path(run).is_dir():
            raise InputError(f"no folder {run}", "the folder of a run", "check the path")
        with suppress(OSError, ValueError, KeyError, TypeError):
            kind = json.loads((Path(run) / "config.json").read_text())["kind"]
    return BY_KIND.get(str(kind), ELF + BY_KIND["free_energy"]).rstrip()
