"""An ONNX graph as a PyTorch module: for the steps that train and for the backend `torch`. It is imported inside functions."""
