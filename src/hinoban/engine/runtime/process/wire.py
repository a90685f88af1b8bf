"""What daemon and supervisor say to each other: JSON lines over a Unix socket. Standard library only.

The daemon says `{"op": "hello", "version", "cursors"}` first, then `start`, `stop`, `remove`, `shutdown`. The supervisor answers
`{"op": "hello", "version", "memory"}`, then tells `started`, `output`, `exited`, `start_failed`; each names `task` and `name`.
"""

VERSION = 1
DIRECTORY = "processes"
SOCKET = "supervisor.sock"
LOCK = "supervisor.lock"
LOG = "supervisor.log"
CONTAINERS = "containers"
