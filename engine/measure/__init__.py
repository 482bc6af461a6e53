"""Latency, memory, fidelity, accuracy and their statistics."""
