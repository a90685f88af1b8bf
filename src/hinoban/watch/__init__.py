"""House 2: remembers every task, finds what went wrong, explains it, retries it, tells people. Never imports the engine."""
