"""Frozen values of ECS: clusters, task definitions, tasks. They are what is stored, so a field added needs a default."""
