"""Judges results."""
