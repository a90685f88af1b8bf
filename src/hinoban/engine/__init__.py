"""House 1: a small ECS cloud on this machine. Never imports the watch."""
