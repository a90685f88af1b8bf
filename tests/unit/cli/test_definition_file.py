"""Whether a registered revision already says what a file says."""

from hinoban.cli.definition_file import load, says_the_same

REGISTERED = {
    "taskDefinitionArn": "arn",
    "revision": 3,
    "status": "ACTIVE",
    "family": "web",
    "networkMode": "bridge",
    "cpu": "256",
    "volumes": [],
    "containerDefinitions": [
        {
            "name": "app",
            "image": "x",
            "cpu": 0,
            "essential": True,
            "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        }
    ],
}
FILE = {
    "family": "web",
    "cpu": 256,
    "containerDefinitions": [
        {
            "name": "app",
            "image": "x",
            "portMappings": [{"containerPort": 80}],
            "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
        }
    ],
}


def changed(**container):
    return FILE | {"containerDefinitions": [FILE["containerDefinitions"][0] | container]}


def test_what_aws_fills_in_is_no_difference():
    assert says_the_same(REGISTERED, FILE)


def test_anything_changed_added_or_left_out_is_a_difference():
    assert not says_the_same(REGISTERED, changed(image="y"))
    assert not says_the_same(REGISTERED, changed(command=["a"]))
    assert not says_the_same(REGISTERED, changed(environment=[]))
    assert not says_the_same(REGISTERED, changed(essential=False))
    assert not says_the_same(REGISTERED, {key: value for key, value in FILE.items() if key != "cpu"})


def test_the_output_of_describe_is_taken_as_a_file(tmp_path):
    import msgspec

    path = tmp_path / "described.json"
    path.write_bytes(msgspec.json.encode({"taskDefinition": REGISTERED, "tags": [{"key": "k", "value": "v"}]}))
    loaded = load(path)
    assert set(loaded) == {"family", "networkMode", "cpu", "volumes", "containerDefinitions", "tags"}
    assert says_the_same(REGISTERED, {key: value for key, value in loaded.items() if key != "tags"})
