"""Failures put in on purpose, for drills: a table of rules (event pattern, what, how often), asked at few points only."""
