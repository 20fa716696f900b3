"""Where volumes' bytes are: one protocol, one contract suite, a driver for each kind of storage."""
