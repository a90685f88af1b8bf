"""Opening databases and bringing them up to date; owns no table."""
