"""Code shared by the inference protocols: batches of rows, request parameters and output tensors."""
