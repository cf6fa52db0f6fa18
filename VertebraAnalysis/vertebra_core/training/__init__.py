"""Training: losses, sample sources and loops with checkpoints that resume exactly."""
