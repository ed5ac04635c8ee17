"""`jovium cite` names the source of everything a result can rest on."""

from jovium.cli.main import main
from jovium.superconductivity.fits import FITS


def test_every_fit_and_the_functional_have_a_source(capsys):
    assert main(["cite"]) == 0
    text = capsys.readouterr().out
    for fit in FITS:
        line = next(line for line in text.splitlines() if fit.doi in line and fit.name in line)
        assert len(line) > len(fit.name) + len(fit.doi) + 20
    assert "Phys. Rev. Lett. 77, 3865 (1996), doi:10.1103/PhysRevLett.77.3865" in text
