"""The exit code of a task is that of the container that ended it."""

import pytest

from hinoban.aws.exits import deciding_exit

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ((143, 0), 0),
        ((137, 0), 0),
        ((0, 143, 137), 0),
        ((143, 3), 3),
        ((0, 3), 3),
        ((143, 137), 137),
        ((143, 143), 143),
        ((None, 0), 0),
        ((None,), None),
        ((), None),
    ],
)
def test_what_was_stopped_with_the_task_does_not_decide(codes, code):
    assert deciding_exit({"name": "app"} | ({} if one is None else {"exitCode": one}) for one in codes) == code


def test_a_container_that_ran_out_of_memory_decides_beside_one_that_ended_well():
    assert deciding_exit([{"exitCode": 0}, {"exitCode": 137, "reason": OUT_OF_MEMORY}]) == 137
