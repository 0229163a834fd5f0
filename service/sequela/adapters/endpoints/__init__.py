"""Models that another server runs: where they may be, how to speak to them, and how much to ask of them."""
