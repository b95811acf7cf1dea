"""What the cells of a column mean: numbers, dates, categories, missing."""
