"""The models that can be explained: the operator's, uploaded ones, and those sent inline with a request."""
