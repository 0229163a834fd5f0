"""One alert, and the list of all of them."""
