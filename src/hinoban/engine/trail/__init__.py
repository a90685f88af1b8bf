"""CloudTrail: what was asked of the API, by whom, and what came of it."""
