"""Local energies of wave functions."""
