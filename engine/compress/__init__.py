"""Compression methods, one file a family; all work on ONNX graphs with numpy."""
