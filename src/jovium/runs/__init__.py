"""Wiring: from input files through the physics to results. No formula lives here."""
