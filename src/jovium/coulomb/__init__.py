"""Coulomb energies of periodic point charges."""
