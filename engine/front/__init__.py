"""Parts of `Engine`, each on top of the one before: telemetry, what runs left, studies, searches."""
