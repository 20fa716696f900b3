"""The `nephele` command."""
