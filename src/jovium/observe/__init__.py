"""Observables of configurations: structure of the fluid."""
