"""`jovium convert` follows the names it is given and refuses grids that no field can have."""

import numpy as np
import pytest

from jovium.base.grid import GridField
from jovium.cli.main import main
from jovium.formats.fields import read_field, write_field


@pytest.fixture
def cube(tmp_path, odd_structure):
    """A smooth field on 8 x 10 x 12 points of the odd cell."""
    s = np.meshgrid(*(np.arange(n) / n for n in (8, 10, 12)), indexing="ij")
    values = 0.5 + 0.1 * sum(np.cos(2 * np.pi * (s[axis] + 0.1 * axis)) for axis in range(3))
    write_field(tmp_path / "in.cube", odd_structure, GridField(values, odd_structure.cell))
    return tmp_path / "in.cube"


def test_output_that_ends_in_cub_is_a_field(cube, tmp_path):
    assert main(["convert", str(cube), str(tmp_path / "out.cub")]) == 0
    np.testing.assert_allclose(read_field(tmp_path / "out.cub").field.values, read_field(cube).field.values, rtol=1e-9)


@pytest.mark.parametrize("grid", [(-3, 4, 4), (4, 0, 4), (1000, 1000, 1000), (10**7, 10**7, 10**7)])
def test_impossible_grid_is_refused_and_nothing_is_written(cube, tmp_path, capsys, grid):
    assert main(["convert", str(cube), str(tmp_path / "out.cube"), "--grid", *map(str, grid)]) == 2
    assert "expected: three numbers" in capsys.readouterr().err
    assert not (tmp_path / "out.cube").exists()


def test_resampled_field_is_the_interpolant_at_the_grid_points(cube, tmp_path):
    assert main(["convert", str(cube), str(tmp_path / "out.cube"), "--grid", "5", "13", "24"]) == 0
    fine, coarse = read_field(tmp_path / "out.cube").field, read_field(cube).field
    assert fine.shape == (5, 13, 24)
    np.testing.assert_allclose(fine.values, coarse.interpolant().value(fine.points()), atol=1e-8)
