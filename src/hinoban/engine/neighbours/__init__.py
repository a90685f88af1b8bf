"""Every AWS operation that is not ours, answered by moto in a child process that starts at its first use (docs/decisions/0012)."""
