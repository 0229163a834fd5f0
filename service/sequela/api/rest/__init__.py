"""REST: the Open Inference Protocol and KServe's first protocol, as JSON."""
