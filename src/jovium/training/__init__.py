"""Training: one loop for every model, run directories, checkpoints, devices."""
