"""The model and the alerts that `sequela demo` shows; `make models` writes them."""
