"""Decodes protobuf messages to plain requests, and collects all violations that do not depend on the model."""
