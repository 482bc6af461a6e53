"""TensorRT and TensorRT-RTX; nothing else imports them, or pycuda."""
