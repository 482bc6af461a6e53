"""What executes a model, each behind the protocol in base."""
