"""Nova's HTTP handlers: they read and write JSON in the microversion asked for, and decide nothing."""
