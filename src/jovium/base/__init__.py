"""Units, cells, structures, grid fields, error bars, errors: what everything else stands on."""
