"""The asynchronous engine; no textual and no rich in here."""
