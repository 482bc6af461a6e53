"""edgetui: compress a model on a Jetson, measure it beside the original, and say which to deploy."""

__version__ = "0.1.0"
