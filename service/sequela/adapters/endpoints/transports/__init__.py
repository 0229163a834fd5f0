"""Ways to speak to a served model: its URI and address, what is shown to it, and one transport for each protocol."""
