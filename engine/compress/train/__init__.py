"""Steps that train. They need PyTorch, which is imported inside functions alone."""
