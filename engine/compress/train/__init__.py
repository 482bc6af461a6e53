"""Steps that train: the only part of the engine that needs PyTorch, which is imported inside functions alone."""
