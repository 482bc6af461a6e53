"""Sensors, samples, the sampler process; knows nothing of models."""
