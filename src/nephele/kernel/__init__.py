"""What every part stands on: store, bus, operations, lifecycle, trace.  Knows no OpenStack."""
