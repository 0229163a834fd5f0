"""What the inference protocols have in common: batches of rows, request parameters, and the tensors that answer."""
