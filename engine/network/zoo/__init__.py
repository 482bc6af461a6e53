"""Small definitions of our own of the architectures that studies need, written from their papers as ONNX graphs: no PyTorch."""
