"""Boards, recipes and studies: data, no code."""
