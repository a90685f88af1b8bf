"""What a target is sent of an event (facts/eventbridge.md §6.1): every example of the facts and of AWS's page, and the rules between them."""

from typing import Any

import pytest

from hinoban.engine.events.targets.paths import MISSING, select
from hinoban.engine.events.targets.transform import UnknownVariableError, dynamic, fill, target_input, unknown_placeholder
from tests.support.targets import EVENT, RULE_ARN

DETAIL = {
    "command": "update-account",
    "payload": {"acc_id": "0a787ecb-4015", "sf_id": "baz"},
    "listsingle": ["HIGH"],
    "states": ["ACTIVE", "INACTIVE"],
    "on": True,
    "off": None,
    "count": 3,
    "share": 1.5,
    "path/with/slash": "x",
}
OF = EVENT | {"detail": DETAIL}
PATHS = {
    "detail-type": "$.detail-type",
    "time": "$.time",
    "command": "$.detail.command",
    "payload": "$.detail.payload",
    "acc_id": "$.detail.payload.acc_id",
    "states": "$.detail.states",
    "on": "$.detail.on",
    "off": "$.detail.off",
    "count": "$.detail.count",
    "gone": "$.detail.notinmessage",
    "first": "$.resources[0]",
}


def sent(target: dict[str, Any], event: dict[str, Any] = OF) -> str:
    return target_input(target, event, rule_arn=RULE_ARN, rule_name="nightly", ingested_at="2026-11-24T05:34:39Z")


def filled(template: str, **paths: str) -> str:
    return sent({"InputTransformer": {"InputPathsMap": paths or PATHS, "InputTemplate": template}})


def test_without_a_wish_a_target_gets_the_whole_event_without_spaces() -> None:
    text = sent({})
    assert text.startswith('{"version":"0","id":"7bf73129-1428-4cd3-a780-95db273d1602","detail-type":"ECS Task State Change",')
    assert ", " not in text


def test_a_constant_is_sent_as_it_is() -> None:
    assert sent({"Input": '{ "a" : 1 }'}) == '{ "a" : 1 }'


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("$.detail.payload", '{"acc_id":"0a787ecb-4015","sf_id":"baz"}'),
        ("$.detail.payload.sf_id", '"baz"'),
        ("$.resources[0]", f'"{EVENT["resources"][0]}"'),
        ("$.detail.count", "3"),
        ("$.detail.nowhere", "null"),
    ],
)
def test_an_input_path_sends_the_json_value(path: str, text: str) -> None:
    assert sent({"InputPath": path}) == text


def test_an_input_path_of_all_is_the_event() -> None:
    assert sent({"InputPath": "$"}) == sent({})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        # String templates (LocalStack's recording of AWS, 2024).
        (
            '"Event of <detail-type> type, at time <time>, info extracted from detail <command>"',
            '"Event of ECS Task State Change type, at time 2026-11-24T05:34:38Z, info extracted from detail update-account"',
        ),
        ('"info extracted from detail <gone>"', '"info extracted from detail "'),
        ('"it is \\"<command>\\" now"', '"it is \\"update-account\\" now"'),
        ('"first <command>"\n"second <count>"', '"first update-account"\n"second 3"'),
        ('"<payload>"', '"{acc_id:0a787ecb-4015,sf_id:baz}"'),
        ('"<states>"', '"[ACTIVE,INACTIVE]"'),
        ('"is it <on>, <off>?"', '"is it true, null?"'),
        # AWS's API page: a bare sentence.
        ("<command> is at <time>", "update-account is at 2026-11-24T05:34:38Z"),
        # JSON templates.
        ('{"id": <acc_id>}', '{"id": "0a787ecb-4015"}'),
        ('{"id": "<acc_id>"}', '{"id": "0a787ecb-4015"}'),
        ('{"path": "users/<acc_id>/second/<acc_id>"}', '{"path": "users/0a787ecb-4015/second/0a787ecb-4015"}'),
        ('{"body": <payload>}', '{"body": {"acc_id":"0a787ecb-4015","sf_id":"baz"}}'),
        ('{"body": [<payload>, "hardcoded"]}', '{"body": [{"acc_id":"0a787ecb-4015","sf_id":"baz"}, "hardcoded"]}'),
        ('{"s": <states>, "t": "<states>"}', '{"s": ["ACTIVE","INACTIVE"], "t": "[ACTIVE,INACTIVE]"}'),
        ('{"command": <gone>}', '{"command": ""}'),
        ('{"command": "<gone>"}', '{"command": ""}'),
        ('{"n": <count>, "b": <on>, "z": <off>}', '{"n": 3, "b": true, "z": null}'),
        ('{"status": "\\"<command>\\" of <count>"}', '{"status": "\\"update-account\\" of 3"}'),
        ("[9, <command>, true]", '[9, "update-account", true]'),
        ('{"r": <first>}', f'{{"r": "{EVENT["resources"][0]}"}}'),
        # A placeholder alone is a value.
        ("<payload>", '{"acc_id":"0a787ecb-4015","sf_id":"baz"}'),
        ("<command>", '"update-account"'),
    ],
)
def test_a_template_is_filled_as_on_aws(template: str, text: str) -> None:
    assert filled(template) == text


def test_values_are_not_escaped() -> None:
    event = OF | {"detail": {"said": 'a "quoted" word'}}
    target = {"InputTransformer": {"InputPathsMap": {"said": "$.detail.said"}, "InputTemplate": '"<said>"'}}
    assert sent(target, event) == '"a "quoted" word"'


def test_a_quote_mark_behind_a_backslash_opens_no_string() -> None:
    assert filled('{"a": "\\\\", "b": <count>, "c": "\\"", "d": <command>}') == '{"a": "\\\\", "b": 3, "c": "\\"", "d": "update-account"}'


def test_reserved_variables_need_no_path() -> None:
    text = filled('"<aws.events.rule-arn> <aws.events.rule-name> <aws.events.event.ingestion-time>"')
    assert text == f'"{RULE_ARN} nightly 2026-11-24T05:34:39Z"'


def test_the_event_comes_without_its_detail_or_whole() -> None:
    bare = filled("<aws.events.event>")
    assert bare.startswith('{"id":') and '"detailType":"ECS Task State Change"' in bare and '"detail":' not in bare
    assert filled('{"all": <aws.events.event.json>}') == '{"all": ' + sent({}) + "}"


def test_a_placeholder_that_nothing_names_is_found() -> None:
    assert unknown_placeholder('"<a> <b> <aws.events.rule-arn>"', ["a"]) == "b"
    assert unknown_placeholder('"<a> <aws.events.event.json>"', ["a"]) is None
    assert fill({"InputTemplate": '"<b>"'}, OF, {}) == '"<b>"'


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.detail.payload.sf_id", "baz"),
        ("$.detail.states[1]", "INACTIVE"),
        ("$.detail.states[2]", MISSING),
        ("$.detail.states[*]", ["ACTIVE", "INACTIVE"]),
        ("$.detail.payload.*", ["0a787ecb-4015", "baz"]),
        ("$.detail.off", None),
        ("$.detail.count.deeper", MISSING),
        ("$.detail.path/with/slash", "x"),
        ("$.detail['command']", MISSING),
        ("detail.command", MISSING),
    ],
)
def test_paths_are_in_dot_notation_with_indexes(path: str, found: Any) -> None:
    assert select(path, OF) == found


def test_a_whole_path_in_a_parameter_is_taken_from_the_event() -> None:
    given = {"Group": "$.detail.command", "Tags": [{"Key": "k", "Value": "$.detail.payload.sf_id"}], "TaskCount": 2, "Other": "a $.b"}
    assert dynamic(given, OF) == {"Group": "update-account", "Tags": [{"Key": "k", "Value": "baz"}], "TaskCount": 2, "Other": "a $.b"}
    with pytest.raises(UnknownVariableError, match=r"\$.detail.nowhere selects nothing"):
        dynamic({"Group": "$.detail.nowhere"}, OF)
    with pytest.raises(UnknownVariableError, match="no string"):
        dynamic("$.detail.count", OF)
