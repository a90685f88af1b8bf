"""AWS's own words for why a task stopped or could not be placed (facts/ecs.md §§2, 3)."""

ESSENTIAL_EXITED = "Essential container in task exited"
STOPPED_BY_USER = "Task stopped by user"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
NO_FARGATE_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
DEPENDENCY_NEVER_STARTS = (
    "CannotStartContainerError: dependency graph: container {name} depends on {other} because dependency will never start"
)
DEPENDENCY_FAILED = (
    "CannotStartContainerError: dependency graph: container {name} depends on {other} as dependency did not exit successfully."
)
LOG_GROUP_MISSING = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
    "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
)

# Pulling fails the whole task, also for a container that is not essential (facts/ecs.md §2.3, "Agent pull behaviour").
FAILS_ANY_CONTAINER = ("CannotPull", "ResourceInitializationError")
