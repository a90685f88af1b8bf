"""A user id for each task, so that tasks started by root cannot touch each other. Standard library only."""

FIRST_UID, LAST_UID = 200_000, 265_535


class Uids:
    """Hands out ids in turn; one is free again when the last container of its task was removed."""

    def __init__(self) -> None:
        self._tasks: dict[str, list[int]] = {}
        self._used: set[int] = set()
        self._next = FIRST_UID

    def take(self, task: str, uid: int | None = None) -> int:
        """The id of a task for one more container; `uid` is the one that it is known to have."""
        if task not in self._tasks:
            if uid is None:
                while self._next in self._used:
                    self._step()
                uid = self._next
                self._step()
            self._tasks[task] = [uid, 0]
            self._used.add(uid)
        self._tasks[task][1] += 1
        return self._tasks[task][0]

    def give_back(self, task: str) -> None:
        """One container of the task was removed."""
        self._tasks[task][1] -= 1
        if self._tasks[task][1] == 0:
            self._used.discard(self._tasks.pop(task)[0])

    def _step(self) -> None:
        self._next = self._next + 1 if self._next < LAST_UID else FIRST_UID
