"""The page is one file that needs nothing else, says what the analysis says, and cannot be broken by its contents."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from jovium.base.errors import InputError, OutputError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.report.notebook import Page
from jovium.report.page import page, write_page
from jovium.report.picture import MAX_POINTS_PER_AXIS, MIN_POINTS_PER_AXIS, composition, picture, picture_grid
from jovium.superconductivity.dos import HydrogenDos

HOSTILE = "</script><script>alert(1)</script> \"$data\" <!-- & 'H' ${facts}"


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of every script."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.lasttag == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data


def test_page_loads_nothing_from_anywhere(triclinic):
    elements = Elements(page(triclinic)).elements
    links = [value for _, attributes in elements for name, value in attributes.items() if name in ("src", "href")]
    assert links
    assert all(link.startswith("https://doi.org/") for link in links)
    assert not [tag for tag, _ in elements if tag in ("link", "iframe", "img", "base", "object")]
    policy = next(a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_page_stays_small_enough_to_mail(triclinic):
    rng = np.random.default_rng(1)
    big = GridField(rng.random((96, 80, 72)), triclinic.structure.cell)
    assert len(page(replace(triclinic, elf=big)).encode()) < 3_000_000


def test_hostile_text_stays_text(triclinic):
    hostile = replace(triclinic, name=HOSTILE, warnings=(HOSTILE,), protocol={HOSTILE: HOSTILE})
    plain_page, hostile_page = Elements(page(triclinic)), Elements(page(hostile))
    assert len(hostile_page.scripts) == len(plain_page.scripts) == 3
    assert json.loads(hostile_page.scripts[0])["analysis"]["name"] == HOSTILE
    assert hostile_page.scripts[1:] == plain_page.scripts[1:]


def test_embedded_grid_is_the_field_to_sixteen_bits(triclinic):
    grid = picture(triclinic)["grid"]
    values = np.frombuffer(base64.b64decode(grid["data"]), dtype="<u2").reshape(grid["shape"]) / grid["levels"]
    np.testing.assert_allclose(values, picture_grid(triclinic.elf).values, atol=0.5 / grid["levels"] + 1e-12)


def test_small_grid_is_refined_by_splines_and_the_page_says_so(triclinic):
    """A surface made of straight pieces between 20 points per axis is kinked; the tables keep the grid given."""
    coarse = _waves((20, 50, 24), triclinic.structure.cell)
    fine = picture_grid(coarse)
    assert fine.shape == (MIN_POINTS_PER_AXIS, 50, MIN_POINTS_PER_AXIS)
    np.testing.assert_allclose(fine.values, _waves(fine.shape, fine.cell).values, atol=3e-3)
    np.testing.assert_allclose(fine.values, np.clip(coarse.interpolant().value(fine.points()), 0, 1), atol=1e-12)
    text = page(replace(triclinic, elf=coarse))
    assert "20 × 50 × 24" in text
    assert "48 × 50 × 48, cubic splines through the full grid" in text


def test_large_grid_is_interpolated_and_the_page_says_so(triclinic):
    cell = triclinic.structure.cell
    fine = _waves((128, 90, 72), cell)
    small = picture_grid(fine)
    assert small.shape == (MAX_POINTS_PER_AXIS,) * 3
    np.testing.assert_allclose(small.values, _waves(small.shape, cell).values, atol=1e-5)
    text = page(replace(triclinic, elf=fine))
    assert "128 × 90 × 72" in text
    assert "64 × 64 × 64, cubic splines through the full grid" in text


def _waves(shape, cell):
    s = np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij")
    return GridField(0.5 + 0.15 * sum(np.cos(2 * np.pi * (k + 1) * s[k]) for k in range(3)), cell)


def test_field_that_is_no_elf_is_refused(triclinic):
    density = GridField(triclinic.elf.values * 2.5, triclinic.structure.cell)
    with pytest.raises(InputError, match="between 0 and 1"):
        page(replace(triclinic, elf=density))


def test_tables_print_what_the_analysis_holds(triclinic):
    text = page(triclinic)
    for threshold in triclinic.thresholds().values():
        assert f"<b>{threshold.value:.4f}</b>" in text
    assert "212.3" in text
    assert "https://doi.org/10.1000/fit%3C2%3E" in text
    assert "doi:10.1000/fit&lt;2&gt;" in text
    assert f"{triclinic.structure.hydrogen_density_g_cc:.4f} g/cm³" in text
    assert f"{triclinic.structure.rs:.4f} bohr" in text
    # The angle between b and c, from their dot product.
    _, b, c = triclinic.structure.cell.vectors
    assert f"{np.degrees(np.arccos(b @ c / np.linalg.norm(b) / np.linalg.norm(c))):.2f}" in text


def test_protocol_numbers_one_and_zero_are_not_yes_and_no_and_unused_settings_are_left_out(cubic):
    text = page(replace(cubic, protocol={"k": 1, "shift": 0.0, "spin": False, "code": None, "mesh": {"spacing": None}}))
    rows = dict(re.findall(r'<th scope="row">(\w+)</th><td>([^<]*)</td>', text))
    assert (rows["k"], rows["shift"], rows["spin"]) == ("1", "0.0", "no")
    assert not {"code", "mesh"} & set(rows)
    assert "mesh.spacing" not in text
    assert "not recorded" in page(replace(cubic, protocol={"code": None}))


def test_warnings_are_shown_only_when_there_are_any(cubic, triclinic):
    assert "two atoms are few" in page(cubic)
    assert '<section class="warnings"' not in page(triclinic)


def test_the_share_of_hydrogen_stands_beside_tc(triclinic):
    share = HydrogenDos(0.4321, "x<1>.pdos_tot", 5.25, 3.5)
    text = page(replace(triclinic, hydrogen_dos=share))
    assert "0.4321: x&lt;1&gt;.pdos_tot, E_F = 5.2500 eV, total DOS there 3.5." in text
    assert "H<sub>DOS</sub> is not known" in page(triclinic)


def test_missing_thresholds_and_fits_are_named_as_missing(cubic):
    text = page(replace(cubic, network=replace(cubic.network, phi_star=None), tc=()))
    assert "not present in this field" in text
    assert "no estimate was asked for" in text


def test_atoms_are_counted_and_hydrogen_comes_last(cubic):
    assert composition(("H",) * 18 + ("Y", "Ca")) == "1 Ca, 1 Y, 18 H"
    # Two atoms of atomic hydrogen are not a molecule.
    assert '<th scope="row">atoms</th><td>2 H</td>' in page(cubic)


def test_no_coordinate_is_minus_zero(cubic):
    almost = replace(cubic.network.phi_3d, position=np.array([-1e-9, -0.0, -2.1]))
    text = page(replace(cubic, network=replace(cubic.network, phi_3d=almost)))
    assert "(0.0000, 0.0000, -1.1113)" in text


def test_sum_that_is_zero_for_every_field_is_no_verdict(cubic):
    text = page(cubic)
    assert "complete set" not in text
    assert "missing" not in text.split('id="jovium-data"')[0]


@pytest.mark.parametrize(("n_atoms", "cells"), [(8, "2"), (9, "1")])
def test_small_cells_are_shown_with_their_neighbours(cubic, n_atoms, cells):
    """One primitive cell cuts the network into pieces that look disconnected."""
    positions = np.random.default_rng(3).random((n_atoms, 3))
    structure = Structure(cubic.structure.cell, positions, ("H",) * n_atoms)
    chosen = [a["value"] for tag, a in Elements(page(replace(cubic, structure=structure))).elements if "checked" in a]
    assert chosen == [cells]


def test_page_file_is_whole_or_not_there(tmp_path, cubic):
    path = write_page(tmp_path / "page.html", cubic)
    assert path.read_text(encoding="utf-8") == page(cubic)
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_missing_directory_and_file_as_directory_are_reported(tmp_path, cubic):
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "nowhere" / "page.html", tmp_path / "file" / "page.html", tmp_path):
        with pytest.raises(OutputError, match="directory"):
            write_page(target, cubic)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_notebook_shows_the_same_page_in_a_frame(cubic):
    elements = Elements(Page(cubic, height=700)._repr_html_()).elements
    assert [tag for tag, _ in elements] == ["iframe"]
    assert elements[0][1]["srcdoc"] == page(cubic)
    assert elements[0][1]["height"] == "700"
