"""Datasets: how files become batches of model inputs."""
