"""Drawing widgets that know nothing of the engine."""
