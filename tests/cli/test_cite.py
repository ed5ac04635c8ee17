"""`jovium cite` names the source of everything a result can rest on."""

import json
import re
from pathlib import Path

import pytest

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.superconductivity.fits import FITS

SOURCE = Path(__file__).parents[2] / "src" / "jovium"


def test_every_fit_and_the_functional_have_a_source(capsys):
    assert main(["cite"]) == 0
    text = capsys.readouterr().out
    for fit in FITS:
        line = next(line for line in text.splitlines() if fit.doi in line and fit.name in line)
        assert len(line) > len(fit.name) + len(fit.doi) + 20
    assert "Phys. Rev. Lett. 77, 3865 (1996), doi:10.1103/PhysRevLett.77.3865" in text


def test_every_preprint_named_in_the_code_is_cited(capsys):
    named = {match for path in SOURCE.rglob("*.py") for match in re.findall(r"arXiv:\d{4}\.\d{5}", path.read_text())}
    assert main(["cite"]) == 0
    text = capsys.readouterr().out
    assert len(named) > 8
    assert [name for name in sorted(named) if name not in text] == []


PARTS = {"minSR": {"free_energy", "protons", "electrons"}, "geminals": {"free_energy", "electrons"}}
PARTS |= {"flow matching": {"free_energy", "protons"}, "126501": {"free_energy"}, "networking value": {"elf"}}


@pytest.mark.parametrize("kind", ["free_energy", "protons", "electrons", "elf"])
def test_a_run_cites_what_it_used(kind, tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps({"kind": kind}))
    assert main(["cite", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert {part for part, kinds in PARTS.items() if kind in kinds} == {part for part in PARTS if part in text}


@pytest.mark.parametrize("config", [None, "{}", "[]", "half"])
def test_a_run_that_does_not_say_its_kind_cites_everything(config, tmp_path, capsys):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    assert main(["cite", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert main(["cite"]) == 0
    assert capsys.readouterr().out == text
    assert main(["cite", str(tmp_path / "nowhere")]) == InputError.exit_code
