"""Amazon ECS: what its API says, what its scheduler decides, and carrying that out."""
