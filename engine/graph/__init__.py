"""ONNX graphs: load, inspect, fold, lint, edit; knows nothing of runs."""
