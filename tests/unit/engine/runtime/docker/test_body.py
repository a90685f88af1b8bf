"""What is sent to Docker, compared as data."""

from hinoban.engine.runtime.docker import body
from hinoban.engine.runtime.driver import ContainerKey, ContainerSpec, PortMapping

KEY = ContainerKey("0123456789abcdef0123456789abcdef", "app")


def spec(**fields) -> ContainerSpec:
    given = {"key": KEY, "region": "eu-west-1", "cluster": "default", "family": "job", "revision": 3, "image": "job:1"} | fields
    return ContainerSpec(**given)


def host(**fields) -> dict:
    return body.create_body("engine", spec(**fields), network="net")["HostConfig"]


def test_a_plain_container():
    assert body.create_body("engine", spec(environment={"A": "1"}, command=("run", "it")), network="net") == {
        "Image": "job:1",
        "Labels": {
            "hinoban.engine": "engine",
            "hinoban.task-id": KEY.task_id,
            "hinoban.region": "eu-west-1",
            "com.amazonaws.ecs.container-name": "app",
            "com.amazonaws.ecs.cluster": "default",
            "com.amazonaws.ecs.task-definition-family": "job",
            "com.amazonaws.ecs.task-definition-version": "3",
        },
        "Env": ["A=1"],
        "Cmd": ["run", "it"],
        "Tty": False,
        "HostConfig": {
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "20m", "max-file": "5"}},
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,
            "CpuShares": 2,
            "ReadonlyRootfs": False,
            "NetworkMode": "net",
        },
    }


def test_a_container_is_held_to_the_smaller_of_its_own_and_its_tasks_memory_without_swap():
    mib = 1024 * 1024
    assert host(memory_mib=64, task_memory_mib=512)["Memory"] == 64 * mib
    assert host(memory_mib=1024, task_memory_mib=512)["MemorySwap"] == 512 * mib
    assert host(task_memory_mib=512)["Memory"] == 512 * mib
    assert "Memory" not in host()


def test_cpu_is_a_share_of_the_containers_units_else_of_its_tasks():
    assert host(cpu_units=256, task_cpu_units=1024)["CpuShares"] == 256
    assert host(task_cpu_units=1024)["CpuShares"] == 1024


def test_ports_are_published_in_bridge_mode_only():
    ports = (PortMapping(80, 8080), PortMapping(53, 0, "udp"))
    made = body.create_body("engine", spec(network_mode="bridge", ports=ports), network="net")
    assert made["HostConfig"]["NetworkMode"] == "bridge"
    assert made["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "0.0.0.0", "HostPort": ""}],
    }
    for mode in ("awsvpc", "host"):
        other = body.create_body("engine", spec(network_mode=mode, ports=ports), network="net")
        assert "PortBindings" not in other["HostConfig"]
        assert body.decode_ports(other["Labels"][body.PORTS_LABEL]) == (PortMapping(80, 80), PortMapping(53, 53, "udp"))


def test_the_definitions_process_settings_are_passed_on():
    made = body.create_body(
        "engine", spec(entry_point=("/e",), working_directory="/w", user="1:2", read_only_root=True, network_mode="host"), network="net"
    )
    assert (made["Entrypoint"], made["WorkingDir"], made["User"]) == (["/e"], "/w", "1:2")
    assert made["HostConfig"]["ReadonlyRootfs"] is True
    assert made["HostConfig"]["NetworkMode"] == "host"
    assert "Cmd" not in made


def test_names_say_engine_task_and_container_and_a_pause_container_cannot_be_taken_for_one():
    assert body.container_name("a1b2c3d4-e5f6-7890", KEY) == f"hinoban-a1b2c3d4e5f6-{KEY.task_id}-app"
    assert body.pause_name("a1b2c3d4-e5f6-7890", KEY.task_id) == f"hinoban-a1b2c3d4e5f6-{KEY.task_id}.pause"


def test_labels_lead_back_to_the_container_and_a_pause_container_has_no_key():
    assert body.key_of(body.labels_of("engine", spec())) == KEY
    assert body.key_of(body.pause_body("engine", KEY.task_id, "p", "net")["Labels"]) is None
    assert body.key_of({"some": "label"}) is None
