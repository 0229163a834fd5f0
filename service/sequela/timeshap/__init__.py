"""The workshop: numpy only, pure functions that plan coalitions and conclude from their values."""
