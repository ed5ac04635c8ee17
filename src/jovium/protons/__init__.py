"""Densities of protons: what they are to follow, and the models that do."""
