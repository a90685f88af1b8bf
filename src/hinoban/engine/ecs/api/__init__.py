"""The operations of Amazon ECS, a file for each kind of resource: defaults, limits, rows and events; never the runtime."""
