"""Boards that are reached by ssh or started here: placing runs on them, and collecting what came out."""
