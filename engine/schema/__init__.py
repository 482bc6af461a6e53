"""What leaves a process: requests, events, results, settings. Values of msgspec, and msgspec alone."""
