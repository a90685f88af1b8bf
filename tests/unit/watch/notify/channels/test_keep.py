"""What channels remember: told once, or marked as a repeat, whatever is lost and whenever it dies."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table, create_engine

from hinoban.watch.notify.channels import DeliveryFailed, MemoryKeep, StoredKeep
from hinoban.watch.notify.channels.keep import Takers, once

Fate = Literal["ok", "refused", "lost", "killed before the answer", "killed after the answer"]


class Killed(BaseException):
    """The process died."""


@given(
    st.lists(
        st.lists(st.sampled_from(["ok", "refused", "lost", "killed before the answer", "killed after the answer"]), max_size=4), max_size=5
    )
)
async def test_no_message_is_silent_or_twice_without_a_mark(deliveries: list[list[Fate]]) -> None:
    keep = MemoryKeep()
    for number, fates in enumerate(deliveries):
        arrived: list[bool] = []
        for fate in [*fates, "ok"]:

            async def send(repeat: bool, fate: str = fate, arrived: list[bool] = arrived) -> None:
                if fate == "refused":
                    raise DeliveryFailed("no")
                arrived.append(repeat)
                if fate == "lost":
                    raise DeliveryFailed("who knows", in_doubt=True)
                if fate == "killed before the answer":
                    raise Killed

            try:
                await once(keep, "pager", f"dlv-{number}", send)
            except (DeliveryFailed, Killed):
                continue
        assert arrived, "it arrived"
        assert arrived[0] is False or "refused" not in fates
        assert all(arrived[1:]), "every further arrival says that it is one"
        assert arrived.count(False) <= 1


async def test_a_delivery_that_arrived_is_not_sent_again() -> None:
    keep, sent = MemoryKeep(), list[bool]()

    async def send(repeat: bool) -> None:
        sent.append(repeat)

    for _ in range(3):
        await once(keep, "pager", "dlv-1", send)
    assert sent == [False]


def test_takers_know_who_has_it_until_the_next_delivery() -> None:
    takers = Takers(MemoryKeep(), "mail")
    takers.took("dlv-1", ["a"])
    takers.took("dlv-1", ["b"])
    assert takers.left("dlv-1", ["a", "b", "c"]) == ["c"]
    assert takers.left("dlv-2", ["a", "b", "c"]) == ["a", "b", "c"]


def test_a_stored_keep_is_there_for_the_next_process(tmp_path: object) -> None:
    table = Table("kept", metadata := MetaData(), Column("channel", String, primary_key=True), Column("key", String, primary_key=True),
                  Column("value", String))  # fmt: skip
    url = f"sqlite:///{tmp_path}/kept.db"
    metadata.create_all(engine := create_engine(url))
    StoredKeep(engine, table).put("slack", "inc-1", "one")
    StoredKeep(engine, table).put("slack", "inc-1", "two")
    engine.dispose()
    again = StoredKeep(create_engine(url), table)
    assert (again.get("slack", "inc-1"), again.get("slack", "inc-2"), again.get("other", "inc-1")) == ("two", None, None)
