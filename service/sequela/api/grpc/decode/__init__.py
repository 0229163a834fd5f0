"""From protobuf to the domain. What is wrong with a message by itself is found here, all of it at once."""
