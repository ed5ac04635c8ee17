"""Labels: first-principles fields and energies of structures, for networks to learn from."""
