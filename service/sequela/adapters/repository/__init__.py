"""The models that can be explained: the operator's, uploaded ones, and those sent with a request."""
