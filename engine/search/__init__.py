"""The algorithms of the search for a recipe: numbers in, numbers out. What runs models stands in `work/`."""
