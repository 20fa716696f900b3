"""The HTTP face of the network service: what each resource shows and accepts, as tables."""
