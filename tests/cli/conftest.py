import numpy as np
import pytest

from jovium.base.grid import GridField
from jovium.formats.fields import write_field


@pytest.fixture
def field_file(tmp_path, odd_structure):
    """An ELF-like field in the odd cell: a bump on every atom."""
    field = GridField(np.zeros((18, 20, 24)), odd_structure.cell)
    points = field.points()
    values = np.zeros(field.shape)
    for atom in odd_structure.positions:
        displacements = odd_structure.cell.minimum_image(points - atom)
        values += np.exp(-np.sum(displacements**2, axis=-1) / 4)
    path = tmp_path / "bumps.cube"
    write_field(path, odd_structure, GridField(values / values.max(), odd_structure.cell))
    return path
