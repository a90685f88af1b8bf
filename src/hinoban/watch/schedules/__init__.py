"""What should run and when, read from AWS's API alone: schedules with an ECS target, their slots, what changed, what cannot start."""
