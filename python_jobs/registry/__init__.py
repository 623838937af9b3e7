"""Which model version serves which series, and where its object lies."""
