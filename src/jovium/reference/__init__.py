"""The Born-Oppenheimer engine: energy, forces, stress, electron density and ELF of hydrogen from first principles."""
