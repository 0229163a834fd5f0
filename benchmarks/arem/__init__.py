"""The AReM recordings and the model trained on them."""
