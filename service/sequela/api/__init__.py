"""The API: operations that do not depend on a transport, and the gRPC and REST servers in front of them."""
