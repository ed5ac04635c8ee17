"""Wave functions of electrons among fixed protons."""
