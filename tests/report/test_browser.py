"""The page in a real browser, from a file, without a network: every control changes what it says it changes."""

import json
import re
import shutil
import time

import numpy as np
import pytest

from jovium.base.units import BOHR_ANGSTROM
from jovium.report.page import write_page
from jovium.report.picture import picture_grid

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAINTED = """(() => {
    const pen = document.getElementById('slice').getContext('2d');
    return new Set(new Uint32Array(pen.getImageData(60, 20, 400, 380).data.buffer)).size;
})()"""

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")]


class View:
    """An open page and everything it complained about or asked for."""

    def __init__(self, tab, path):
        self.tab, self.complaints, self.requests = tab, [], []
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.goto(path.as_uri())
        self.settle()

    def settle(self):
        """Wait until nothing is left to draw."""
        for _ in range(400):
            if self.tab.evaluate("Boolean(window.jovium && jovium.idle && jovium.redraws > 0)"):
                return
            time.sleep(0.05)
        raise AssertionError(f"the page never came to rest: {self.complaints}")

    def say(self, expression):
        """The value of a JavaScript expression once everything is drawn."""
        self.settle()
        return self.tab.evaluate(expression)

    def picture(self):
        """The pixels of the 3-D view."""
        self.settle()
        return self.tab.locator("#view").screenshot()

    def slide(self, name, value):
        """Move a slider as a script would: value, then the event."""
        self.tab.evaluate(
            "([name, value]) => { const slider = document.getElementById(name); slider.value = value;"
            " slider.dispatchEvent(new Event('input', { bubbles: true })); }",
            [name, value],
        )

    def download(self, button):
        """The text of the file a button saves."""
        with self.tab.expect_download() as event:
            self.tab.click(button)
        return event.value.path().read_text(encoding="utf-8"), event.value.suggested_filename


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=["cubic", "triclinic"])
def shown(request, browser, tmp_path_factory):
    """An analysis and its page, opened from a file with the network cut."""
    analysis = request.getfixturevalue(request.param)
    path = write_page(tmp_path_factory.mktemp("page") / "page.html", analysis)
    context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True, accept_downloads=True)
    yield analysis, View(context.new_page(), path)
    context.close()


def test_opens_without_complaint_at_the_networking_value(shown):
    analysis, view = shown
    assert view.say("jovium.isovalue") == analysis.network.phi_3d.value
    assert view.say("jovium.surface.triangles") > 100
    assert view.complaints == []
    assert [url for url in view.requests if not url.startswith(("file:", "blob:"))] == []


def test_slider_moves_the_surface(shown):
    _, view = shown
    view.slide("isovalue", 0.6)
    low, low_picture = view.say("[jovium.isovalue, jovium.surface.vertices]"), view.picture()
    view.slide("isovalue", 0.85)
    high, high_picture = view.say("[jovium.isovalue, jovium.surface.vertices]"), view.picture()
    assert (low[0], high[0]) == (0.6, 0.85)
    assert low[1] > 0
    assert high[1] > 0
    assert low[1] != high[1]
    assert low_picture != high_picture
    assert view.tab.inner_text("#isovalue-text") == "0.8500"


def test_surface_is_where_the_field_has_the_isovalue(shown):
    """Vertices lie on the isosurface of the Python field, none outside the cell: the cell is not transposed."""
    analysis, view = shown
    mesh = view.say("jovium.surfaceMesh(0.7)")
    vertices = np.array([[v["x"], v["y"], v["z"]] for v in mesh["vertices"]]) / BOHR_ANGSTROM
    fractional = analysis.elf.cell.fractional(vertices)
    assert fractional.min() >= -1e-6
    assert fractional.max() <= 1 + 1e-6
    # Some vertices lie on each of the six cell faces: the surface is closed up to the boundary.
    assert np.isclose(fractional, 0).any(axis=0).all()
    assert np.isclose(fractional, 1).any(axis=0).all()
    np.testing.assert_allclose(analysis.elf.interpolant().value(vertices), 0.7, atol=0.02)


def test_surface_has_no_seam_inside_the_cell_and_faces_outwards(shown):
    analysis, view = shown
    mesh = view.say("jovium.surfaceMesh(0.7)")
    vertices, normals = (np.array([[v["x"], v["y"], v["z"]] for v in mesh[key]]) for key in ("vertices", "normals"))
    faces = np.array(mesh["faces"]).reshape(-1, 3)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    single, count = np.unique(edges, axis=0, return_counts=True)
    assert count.max() == 2
    rims = analysis.elf.cell.fractional(vertices[single[count == 1]] / BOHR_ANGSTROM)
    on_face = np.isclose(rims, 0, atol=1e-6) | np.isclose(rims, 1, atol=1e-6)
    assert on_face.all(axis=1).any(axis=1).all()
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    area = np.cross(b - a, c - a)
    assert np.sum(area * normals[faces[:, 0]]) > 0.9 * np.linalg.norm(area, axis=1).sum()


def test_buttons_snap_to_the_thresholds(shown):
    analysis, view = shown
    for name, threshold in analysis.thresholds().items():
        view.tab.click(f"#levels button[data-level={name}]")
        assert view.say("jovium.isovalue") == threshold.value
        assert view.tab.get_attribute(f"#levels button[data-level={name}]", "aria-pressed") == "true"


def test_mark_that_covers_others_names_them_all(shown):
    analysis, view = shown
    names = {"phi_1d": "φ 1D", "phi_2d": "φ 2D", "phi_3d": "φ 3D", "phi_star": "φ*"}
    levels = analysis.thresholds()
    titles = view.say("[...document.querySelectorAll('#marks span')].map((mark) => mark.title)")
    for title, level in zip(titles, levels.values(), strict=True):
        near = [names[name] for name, other in levels.items() if abs(other.value - level.value) < 0.008]
        assert title == f"{', '.join(near)} = {level.value:.4f}"


def test_dragging_near_a_threshold_lands_on_it_and_keys_leave_it(shown):
    analysis, view = shown
    phi = analysis.network.phi_3d.value
    box = view.tab.locator("#isovalue").bounding_box()
    # The thumb is 16 pixels wide, so its centre travels the width less 16.
    x, y = box["x"] + 8 + (phi - 0.004) * (box["width"] - 16), box["y"] + box["height"] / 2
    view.tab.mouse.move(box["x"] + 60, y)
    view.tab.mouse.down()
    view.tab.mouse.move(x, y)
    view.tab.mouse.up()
    assert view.say("jovium.isovalue") in [point.value for point in analysis.thresholds().values()]
    view.tab.press("#isovalue", "ArrowLeft")
    assert view.say("jovium.isovalue") < phi


def test_critical_points_appear_by_kind(shown):
    analysis, view = shown
    for kind, count in (("maximum", analysis.critical_points.maxima), ("ring", analysis.critical_points.rings)):
        view.tab.uncheck(f"#show-{kind}")
        without = view.picture()
        assert view.say("jovium.shown")[kind] == 0
        view.tab.check(f"#show-{kind}")
        # A point on a cell face is drawn on the opposite face too.
        assert view.say("jovium.shown")[kind] >= count
        assert view.picture() != without
        view.tab.uncheck(f"#show-{kind}")
    for part in ("thresholds", "atoms"):
        view.tab.uncheck(f"#show-{part}")
        assert view.say("jovium.shown")[part] == 0
        view.tab.check(f"#show-{part}")
        assert view.say("jovium.shown")[part] > 0


def test_the_path_is_drawn_when_asked_for(shown):
    analysis, view = shown
    assert view.say("jovium.shown").get("path", 0) == 0
    view.tab.check("#show-path")
    assert view.say("jovium.shown")["path"] >= len(analysis.path.path.points)
    view.tab.uncheck("#show-path")


def test_supercell_repeats_the_surface_eight_times(shown):
    _, view = shown
    view.slide("isovalue", 0.75)
    eight = view.say("jovium.surface")
    assert view.say("jovium.cells") == 2  # a cell of few atoms is shown with its neighbours at first
    view.tab.check("input[name=cells][value='1']")
    one = view.say("jovium.surface")
    assert eight == {key: 8 * value for key, value in one.items()}
    view.tab.check("input[name=cells][value='2']")
    assert view.say("jovium.surface") == eight


def assert_drawn(analysis, view, positions):
    """The browser finds the value of the Python interpolant at `positions` (bohr)."""
    drawn = view.say(f"{json.dumps((positions * BOHR_ANGSTROM).tolist())}.map(jovium.elf)")
    np.testing.assert_allclose(drawn, analysis.elf.interpolant().value(positions), atol=5e-4)


def test_atoms_are_the_tops_of_the_embedded_field(shown):
    """The field the browser interpolates has the Python value at every atom: grid, cell and positions agree."""
    analysis, view = shown
    assert_drawn(analysis, view, analysis.structure.positions)


def test_lines_through_the_field_follow_its_splines_between_grid_points(shown):
    analysis, view = shown
    random = np.random.default_rng(5).random((200, 3))
    assert_drawn(analysis, view, analysis.structure.cell.cartesian(random))


def test_slice_is_painted_and_follows_its_controls(shown):
    _, view = shown
    pixels = "document.getElementById('slice').toDataURL()"
    view.tab.select_option("#slice-axis", "0")
    assert view.say(PAINTED) > 50
    first = view.say(pixels)
    view.slide("slice-position", 0.37)
    second = view.say(pixels)
    view.slide("isovalue", 0.5)
    third = view.say(pixels)
    view.tab.select_option("#slice-axis", "1")
    assert len({first, second, third, view.say(pixels)}) == 4
    assert "0.370 of b" in view.tab.inner_text("#slice-text")


def test_profile_runs_to_the_nearest_image(shown):
    analysis, view = shown
    last = analysis.structure.n_atoms - 1
    view.tab.select_option("#profile-from", "0")
    view.tab.select_option("#profile-to", str(last))
    view.settle()
    assert view.tab.locator("#profile path.profile").get_attribute("d").count("L") == 240
    assert view.tab.locator("#profile line.level").count() == 4
    positions = analysis.structure.positions
    nearest = np.linalg.norm(analysis.structure.cell.minimum_image(positions[last] - positions[0])) * BOHR_ANGSTROM
    assert view.tab.inner_text("#profile-text") == f"distance {nearest:.4f} Å"
    view.tab.select_option("#profile-to", "0")
    own = np.linalg.norm(analysis.structure.cell.reduced, axis=1).min() * BOHR_ANGSTROM
    view.settle()
    assert view.tab.inner_text("#profile-text") == f"distance {own:.4f} Å"


def test_downloads_hold_the_analysis_the_grid_and_the_atoms(shown, tmp_path):
    from ase.io import read
    from ase.io.cube import read_cube

    analysis, view = shown
    text, name = view.download("#save-json")
    assert json.loads(text) == analysis.to_json()
    assert name.endswith(".json")
    text, _ = view.download("#save-cube")
    (tmp_path / "elf.cube").write_text(text)
    with open(tmp_path / "elf.cube") as file:
        cube = read_cube(file)
    np.testing.assert_allclose(cube["data"], picture_grid(analysis.elf).values, atol=2e-5)
    assert not re.search(r"-0\.0+\s", text)
    np.testing.assert_allclose(cube["atoms"].cell[:], analysis.structure.cell.vectors * BOHR_ANGSTROM, atol=1e-4)
    text, _ = view.download("#save-xyz")
    (tmp_path / "atoms.extxyz").write_text(text)
    atoms = read(tmp_path / "atoms.extxyz")
    np.testing.assert_allclose(atoms.cell[:], analysis.structure.cell.vectors * BOHR_ANGSTROM, atol=1e-7)
    wrapped = analysis.structure.cell.wrap(analysis.structure.positions) * BOHR_ANGSTROM
    np.testing.assert_allclose(atoms.positions, wrapped, atol=1e-7)
    assert all(atoms.pbc)


def test_every_control_has_a_name_and_the_page_fits_a_narrow_screen(shown):
    _, view = shown
    nameless = view.say(
        "[...document.querySelectorAll('input, select, button')]"
        ".filter((e) => !(e.labels && e.labels.length) && !e.textContent.trim()).map((e) => e.id)"
    )
    assert nameless == []
    view.tab.set_viewport_size({"width": 400, "height": 800})
    assert view.say("document.documentElement.scrollWidth") <= 400
    # The sentence about a fit stays in sight and is not squeezed into a word per line.
    note = "document.querySelector('.tc tbody td:last-child')"
    view.say(f"{note}.textContent = 'fitted to more than a hundred hydrides predicted in the literature; '.repeat(2)")
    assert view.say(f"{note}.offsetHeight") < 80
    assert view.say(f"{note}.getBoundingClientRect().right") <= 400
    view.tab.set_viewport_size({"width": 1280, "height": 800})
    assert view.complaints == []
