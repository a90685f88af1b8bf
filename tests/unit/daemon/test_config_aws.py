"""[aws]: what `hinoban watch` watches; each mistake is named with its path and the way out, and the key is never quoted."""

from typing import Any

import pytest

from hinoban.base.errors import ConfigError
from hinoban.daemon import config
from hinoban.watch.places import ANYWHERE, Place

KEY = "0123456789abcdef"
ROLE = "arn:aws:iam::210987654321:role/hinoban"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/hinoban-events"
OTHER = {"id": "210987654321", "role_arn": ROLE, "regions": ["us-east-1"]}


def test_accounts_queues_and_an_address_are_taken_as_they_are_written() -> None:
    found = config.parse(
        {
            "aws": {
                "profile": "hub",
                "regions": [],
                "account": [OTHER],
                "queue": [{"url": QUEUE}],
                "http": {"listen": "[::1]:8099", "key": KEY},
            }
        }
    ).aws
    assert (found.profile, found.regions, found.poll) == ("hub", (), True)
    assert [(one.id, one.role_arn, one.regions) for one in found.accounts] == [("210987654321", ROLE, ("us-east-1",))]
    assert [(one.url, one.region, one.of) for one in found.queues] == [(QUEUE, "eu-central-1", Place("123456789012", "eu-central-1"))]
    assert found.listen is not None and (found.listen.host, found.listen.port, found.listen.key) == ("::1", 8099, KEY)
    assert KEY not in repr(found)


def test_a_queue_at_another_endpoint_names_its_region_and_a_central_one_stands_for_all_accounts() -> None:
    given = {"url": "http://127.0.0.1:4566/123456789012/q", "region": "us-west-2", "central": True}
    [queue] = config.parse({"aws": {"queue": [given]}}).aws.queues
    assert (queue.region, queue.of) == ("us-west-2", ANYWHERE)


@pytest.mark.parametrize(
    "aws, path, said",
    [
        ({"regions": []}, "aws.regions", "nothing would be watched"),
        ({"regions": ["tokyo"]}, "aws.regions[0]", ""),
        ({"poll": False}, "aws.poll", "nothing would be seen"),
        ({"endpoint_url": "127.0.0.1:4566"}, "aws.endpoint_url", "http or https"),
        ({"account": [{**OTHER, "role_arn": "hinoban"}]}, "aws.account[0].role_arn", "is not the ARN of a role"),
        ({"account": [{**OTHER, "id": "123456789012"}]}, "aws.account[0].role_arn", "is of account 210987654321, not of 123456789012"),
        ({"account": [OTHER, OTHER]}, "aws.account", "names 210987654321 twice"),
        ({"account": [{**OTHER, "regions": []}]}, "aws.account[0].regions", ""),
        ({"queue": [{"url": "hinoban-events"}]}, "aws.queue[0].url", "is no queue's URL"),
        ({"http": {"listen": "8099", "key": KEY}}, "aws.http.listen", "HOST:PORT"),
        ({"http": {"listen": "127.0.0.1:8099", "key": "short"}}, "aws.http.key", ""),
        ({"profil": "x"}, "aws.profil", "is not a key Hinoban knows"),
    ],
)
def test_a_mistake_is_named(aws: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse({"aws": aws})
    assert caught.value.what == path and said in caught.value.why and caught.value.todo
