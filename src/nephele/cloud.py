"""Wires the parts of a cloud together; time, ids, randomness and the bus are parameters here."""
