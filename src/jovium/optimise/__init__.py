"""Step rules: the natural gradient, and what keeps a step from being too long."""
