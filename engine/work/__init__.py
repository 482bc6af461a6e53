"""What heavy processes do: the only place that joins compression, backends, data and measurement."""
