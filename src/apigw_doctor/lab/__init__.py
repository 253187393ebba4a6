"""A local API that times out like the real one, writes the gateway's evidence and knows the truth."""
