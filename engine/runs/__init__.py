"""A run's folder, seen from light processes."""
