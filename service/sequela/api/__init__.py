"""What callers reach: the operations free of any transport, and gRPC and REST in front of them."""
