"""What a resource policy lets a service do, by IAM's rules."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws.iam_match import BadPolicy, allows, judge, nearly, needed, parse

ACCOUNT = "123456789012"
GROUP = f"arn:aws:logs:ap-northeast-1:{ACCOUNT}:log-group:/aws/events/ecs/ECSStatus"
STREAM = f"{GROUP}:log-stream:0a1b"
RULE = f"arn:aws:events:ap-northeast-1:{ACCOUNT}:rule/ECSStatus"
TOPIC = f"arn:aws:sns:ap-northeast-1:{ACCOUNT}:alerts"
QUEUE = f"arn:aws:sqs:ap-northeast-1:{ACCOUNT}:jobs"
EVENTS = "events.amazonaws.com"
CONTEXT = {"aws:SourceArn": RULE, "aws:SourceAccount": ACCOUNT}
CALL: dict[str, Any] = {"service": EVENTS, "action": "logs:PutLogEvents", "resource": STREAM, "context": CONTEXT}

parts = st.text(st.sampled_from("ab/-*?$"), max_size=8)


def policy(**members: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": EVENTS}, "Action": "logs:PutLogEvents", "Resource": f"{GROUP}:*"} | members
    return {"Version": "2012-10-17", "Statement": [{name: value for name, value in statement.items() if value is not None}]}


def seed_002(account: str = ACCOUNT) -> str:
    """The policy of seeds/002, whose author saw events arrive."""
    return json.dumps(
        {
            "Statement": [
                {
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Effect": "Allow",
                    "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
                    "Resource": f"arn:aws:logs:ap-northeast-1:{account}:log-group:/aws/events/ecs/ECSStatus/*:*",
                    "Sid": "TrustEventBridgeToStoreECSLifecycleLogEvents",
                }
            ],
            "Version": "2012-10-17",
        }
    )


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"Resource": "*"},
        {"Resource": [QUEUE, f"{GROUP}:log-stream:*"]},
        {"Resource": f"arn:aws:logs:*:{ACCOUNT}:log-group:/aws/events/*:*"},
        {"Resource": f"arn:aws:logs:ap-northeast-1:{ACCOUNT}:log-group:/aws/events/*"},
        {"Resource": f"{GROUP}:log-stream:????"},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ACCOUNT, "Service": ["x.amazonaws.com", EVENTS]}},
        {"Principal": None, "NotPrincipal": {"Service": "s3.amazonaws.com"}},
        {"Action": "logs:*"},
        {"Action": ["LOGS:putlogevents"]},
        {"Action": "logs:Put*"},
        {"Action": None, "NotAction": "logs:DeleteLogGroup"},
        {"Resource": None, "NotResource": QUEUE},
        {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}},
        {"Condition": {"StringEquals": {"AWS:sourceaccount": ["1", ACCOUNT]}, "ArnLike": {"aws:SourceArn": f"{RULE[:-3]}*"}}},
        {"Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/*"}}},
        {"Condition": {"StringLike": {"aws:SourceArn": "*:rule/ECS*"}}},
        {"Condition": {"StringNotEquals": {"aws:SourceAccount": "1"}}},
        {"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}},
        {"Condition": {"BoolIfExists": {"aws:SecureTransport": True}}},
        {"Condition": {"Null": {"aws:PrincipalOrgID": "true"}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "${aws:SourceAccount}"}}},
        {"Resource": "arn:aws:logs:ap-northeast-1:${aws:SourceAccount}:log-group:*"},
    ],
)
def test_it_is_let_in(members: dict[str, Any]) -> None:
    assert allows(policy(**members), **CALL)
    assert allows(json.dumps(policy(**members)), **CALL)


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ({"Resource": GROUP}, None),
        ({"Resource": f"{GROUP}/*:*"}, None),
        ({"Resource": f"{GROUP}2:*"}, None),
        ({"Resource": f"{GROUP.lower()}:*"}, None),
        ({"Principal": {"Service": "delivery.logs.amazonaws.com"}}, None),
        ({"Principal": {"Service": "*.amazonaws.com"}}, None),
        ({"Principal": {"AWS": ACCOUNT}}, None),
        ({"Principal": None, "NotPrincipal": {"Service": EVENTS}}, None),
        ({"Action": "logs:CreateLogStream"}, None),
        ({"Action": None, "NotAction": "logs:*"}, None),
        ({"Resource": None, "NotResource": "*"}, None),
        ({"Effect": "Deny"}, None),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}, "aws:SourceAccount does not match StringEquals"),
        ({"Condition": {"StringEquals": {"aws:SourceArn": f"{RULE[:-1]}*"}}}, "aws:SourceArn does not match StringEquals"),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:*"}}}, "aws:SourceArn does not match ArnLike"),
        ({"Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}}, "the request has no AWS:SourceOwner"),
        ({"Condition": {"StringNotEquals": {"aws:SourceAccount": ["1", ACCOUNT]}}}, "aws:SourceAccount does not match StringNotEquals"),
        ({"Condition": {"Null": {"aws:SourceArn": "true"}}}, "aws:SourceArn does not match Null"),
        ({"Condition": {"StringRhymes": {"aws:SourceAccount": ACCOUNT}}}, "the condition operator StringRhymes is not known here"),
        ({"Condition": {"StringEquals": {"aws:Mood": "good"}}}, "the condition key aws:Mood is not known here"),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "${aws:Mood}"}}}, "the variable aws:Mood is not known here"),
    ],
)
def test_it_is_not_let_in_and_the_note_says_why(members: dict[str, Any], note: str | None) -> None:
    judgement = judge(policy(**members), **CALL)
    assert not judgement.allowed
    assert judgement.notes == ((note,) if note else ())


def test_a_deny_wins_wherever_it_stands() -> None:
    both = policy()["Statement"] + policy(Effect="Deny", Action="logs:*", Resource="*")["Statement"]
    for statements in (both, both[::-1]):
        judgement = judge({"Version": "2012-10-17", "Statement": statements}, **CALL)
        assert (judgement.allowed, judgement.denied) == (False, True)
        assert nearly({"Statement": statements}, **CALL) is None


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", "null", "{}", '{"Statement":[]}', '{"Statement":[1]}', '{"Version":"2020-01-01","Statement":[]}',
     json.dumps(policy(Effect="Maybe")), json.dumps(policy(Action=None)), json.dumps(policy(Resource=None)),
     json.dumps(policy(Principal=None)), json.dumps(policy(NotAction="x")), json.dumps(policy(Resouce="*")),
     json.dumps(policy(Action=[])), json.dumps(policy(Action=True)), json.dumps(policy(Principal={"AWS": EVENTS})),
     json.dumps(policy(Principal={"Servce": EVENTS})), json.dumps(policy(Condition={"Bool": "true"}))],
)  # fmt: skip
def test_what_is_no_policy_allows_nothing(document: str) -> None:
    with pytest.raises(BadPolicy):
        parse(document)
    assert not allows(document, **CALL)
    assert nearly(document, **CALL) is None


def test_seed_002s_policy_does_not_cover_its_group_but_was_meant_for_it() -> None:
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        call = CALL | {"action": action}
        assert not allows(seed_002(), **call)
        assert nearly(seed_002(), **call) == f"{GROUP}/*:*"
    other = CALL | {"resource": f"{GROUP}/a:log-stream:s"}
    assert allows(seed_002(), **other)
    assert nearly(seed_002(), **other) is None
    assert nearly(seed_002(), **CALL | {"resource": STREAM.replace("ECSStatus", "Other")}) is None
    assert nearly(seed_002(), **CALL | {"service": "sns.amazonaws.com"}) is None
    assert nearly(seed_002("999999999999"), **CALL) is None


@pytest.mark.parametrize("end", ["", "/*", "/*:*"])
def test_an_end_that_is_almost_right_is_told(end: str) -> None:
    assert nearly(policy(Resource=[QUEUE, GROUP + end]), **CALL) == GROUP + end
    assert nearly(policy(Resource=GROUP + end, Condition={"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/other"}}), **CALL) is None
    assert nearly(policy(Resource=GROUP + end, Action="logs:CreateLogStream"), **CALL) is None


@pytest.mark.parametrize(
    ("target", "action", "resource"),
    [
        (GROUP, "logs:PutLogEvents", STREAM),
        (f"{GROUP}:*", "logs:CreateLogStream", STREAM),
        (TOPIC, "sns:Publish", TOPIC),
        (QUEUE, "sqs:SendMessage", QUEUE),
    ],
)
def test_what_is_needed_is_enough_and_lets_nobody_else_in(target: str, action: str, resource: str) -> None:
    document = needed(target, rule_arn=RULE, account=ACCOUNT)
    call: dict[str, Any] = {"action": action, "resource": resource, "context": CONTEXT}
    assert allows(document, service=EVENTS, **call)
    assert not allows(document, service="s3.amazonaws.com", **call)
    assert not allows(document, service=EVENTS, **call | {"resource": resource.replace(ACCOUNT, "999999999999")})


def test_a_topics_policy_keeps_its_owners_and_a_queues_is_for_one_rule() -> None:
    topic = needed(TOPIC, rule_arn=RULE, account=ACCOUNT)
    call: dict[str, Any] = {"service": "iam", "action": "SNS:Subscribe", "resource": TOPIC}
    assert allows(topic, **call, context={"AWS:SourceOwner": ACCOUNT})
    assert not allows(topic, **call, context={"AWS:SourceOwner": "1"})
    queue = needed(QUEUE, rule_arn=RULE, account=ACCOUNT)
    assert not allows(queue, service=EVENTS, action="sqs:SendMessage", resource=QUEUE, context={"aws:SourceArn": f"{RULE}2"})
    with pytest.raises(ValueError, match="needs no resource policy"):
        needed(f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/c", rule_arn=RULE, account=ACCOUNT)


@given(parts, parts)
def test_wildcards_mean_what_a_slow_reader_says(pattern: str, text: str) -> None:
    def slow(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(slow(pattern[1:], text[at:]) for at in range(len(text) + 1))
        return bool(text) and (pattern[0] in ("?", text[0])) and slow(pattern[1:], text[1:])

    resource = f"arn:aws:logs:eu-west-1:1:log-group:{text}"
    found = allows(policy(Resource=f"arn:aws:logs:eu-west-1:1:log-group:{pattern}"), **CALL | {"resource": resource})
    assert found is slow(pattern, text)


def test_no_pattern_takes_for_ever() -> None:
    long = f"arn:aws:logs:eu-west-1:1:log-group:{'a' * 2000}"
    assert not allows(policy(Resource="*a" * 200 + "b"), **CALL | {"resource": long})
    assert allows(policy(Resource="*a" * 200 + "*"), **CALL | {"resource": long})


@given(st.text(max_size=12), st.text(max_size=12))
def test_equal_is_equal_whatever_the_text_and_like_is_at_least_that(wanted: str, value: str) -> None:
    for version in ("2008-10-17", "2012-10-17"):
        document = policy(Condition={"StringEquals": {"aws:SourceArn": wanted}}) | {"Version": version}
        if "${" not in wanted:
            assert allows(document, **CALL | {"context": {"aws:SourceArn": value}}) is (wanted == value)
            assert allows(document, **CALL | {"context": {"aws:SourceArn": wanted}})


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([f"{GROUP}:*", "*", f"{GROUP}/*:*", QUEUE])), min_size=1, max_size=5))
def test_allowed_denied_and_nearly_never_meet(statements: list[tuple[bool, str]]) -> None:
    made = [policy(Effect="Allow" if allow else "Deny", Resource=resource)["Statement"][0] for allow, resource in statements]
    document = {"Version": "2012-10-17", "Statement": made}
    judgement = judge(document, **CALL)
    covering = {allow for allow, resource in statements if resource in ("*", f"{GROUP}:*")}
    assert judgement.allowed is (covering == {True})
    assert judgement.denied is (False in covering)
    meant = (True, f"{GROUP}/*:*") in statements and not covering
    assert nearly(document, **CALL) == (f"{GROUP}/*:*" if meant else None)


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2)
                    | st.dictionaries(st.sampled_from(["Version", "Statement", "Effect", "Principal", "Action", "Resource", "Condition"]),
                                      inner, max_size=5), max_leaves=15))  # fmt: skip
def test_any_json_is_judged(document: Any) -> None:
    assert judge(json.dumps(document), **CALL).allowed is False or "Allow" in json.dumps(document)
