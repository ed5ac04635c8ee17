"""Jovium: the free energy of dense hydrogen and the bonding of its electrons."""

__version__ = "0.1.0"
