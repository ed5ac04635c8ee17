"""Files of other programs: fields on grids and atomic structures, read and written."""
