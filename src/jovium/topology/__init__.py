"""Topology of a scalar field on the periodic grid: thresholds of the hydrogen network, merge tree, critical points."""
