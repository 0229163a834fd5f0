"""From protobuf to plain requests. Everything that is wrong with a message by itself is collected here."""
