"""The text user interface and the command line."""
