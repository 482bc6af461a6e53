"""What the user keeps: recipes, models and datasets by name."""
