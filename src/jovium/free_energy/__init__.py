"""Dense hydrogen: protons from a flow and electrons from one wave function, together."""
