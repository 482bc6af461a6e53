"""One file a group of commands; each registers itself with `cli`."""
