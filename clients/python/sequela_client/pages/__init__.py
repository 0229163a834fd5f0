"""HTML of explanations: one page for one alert, and a small view for notebooks."""
