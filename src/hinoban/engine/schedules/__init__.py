"""EventBridge Scheduler's API, and the loop that decides the slots of its schedules and of scheduled rules."""
