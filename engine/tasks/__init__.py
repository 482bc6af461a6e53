"""What outputs mean: decoders, matching and metrics of tasks."""
