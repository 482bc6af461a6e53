"""The machine, knowing neither models nor runs."""
