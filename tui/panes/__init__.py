"""The parts of the workbench."""
