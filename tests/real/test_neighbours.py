"""The neighbours through their clients' own eyes: what the AWS CLI, boto3 and the JavaScript SDK make is there after kill -9, and new calls
go on from it."""

import asyncio
import contextlib
import json
import os
import pprint
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.utils import PRIORITY_ORDERED_SUPPORTED_PROTOCOLS

from hinoban.aws.client import Client
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import SystemClock
from hinoban.engine.neighbours.log import MOST_WRITES
from tests.real.daemon_support import Make, RealDaemon, until
from tests.real.daemon_support import daemons as daemons
from tests.real.javascript import run_node, with_package

OPTIONS = ("--runtime", "process")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                                                            "Action": "sts:AssumeRole"}]})  # fmt: skip
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
MANY = int(os.environ.get("HINOBAN_TEST_WRITES", "10000"))

pytestmark = pytest.mark.timeout(420)


class Shell:
    """A shell in which `hinoban env` was evaluated."""

    def __init__(self, daemon: RealDaemon) -> None:
        facts = json.loads((daemon.state / "daemon.json").read_bytes())
        keys = json.loads((daemon.state / "credentials.json").read_bytes())
        self.url: str = facts["url"]
        self.region: str = facts["region"]
        self.key_id: str = keys["access_key_id"]
        self.secret: str = keys["secret_access_key"]
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
        }

    def boto(
        self, service: str, key_id: str | None = None, secret: str | None = None, token: str | None = None, signature: str | None = None
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=key_id or self.key_id,
            aws_secret_access_key=secret or self.secret,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 0}, read_timeout=120, s3={"addressing_style": "path"}, signature_version=signature),
        )

    async def aws(self, *words: str) -> Any:
        """One AWS CLI command; its JSON, if it prints any. AWS CLI 1 knows `sqs` by another name unless told the endpoint (docs/compatibility.md)."""
        command = [sys.executable, "-m", "awscli", "--endpoint-url", self.url, "--output", "json", *words]
        done = await asyncio.to_thread(subprocess.run, command, env=self.environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.startswith("{") else None


class Subscriber:
    """An HTTP endpoint of a topic, on loopback."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *said: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    made = Subscriber()
    yield made
    made.close()


async def reborn(daemon: RealDaemon) -> Shell:
    """kill -9, the next life, a shell that points there."""
    await daemon.kill()
    await daemon.start()
    return Shell(daemon)


def rows(daemon: RealDaemon) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{daemon.state / 'engine.db'}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM neighbour_writes").fetchone()[0])


def bare(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def seen(shell: Shell, vpc: str) -> dict[str, Any]:
    """Everything that the CLI test made, as boto3 shows it."""
    found: dict[str, Any] = {}
    ssm, secrets, sqs, sns = (shell.boto(name) for name in ("ssm", "secretsmanager", "sqs", "sns"))
    found["parameter"] = bare(ssm.get_parameter(Name="/app/url", WithDecryption=True))
    found["secret"] = bare(secrets.get_secret_value(SecretId="db"))
    found["versions"] = secrets.describe_secret(SecretId="db")["VersionIdsToStages"]
    (url,) = sqs.list_queues()["QueueUrls"]
    found["queue"] = bare(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))
    found["topic"] = [bare(sns.get_topic_attributes(TopicArn=topic["TopicArn"])) for topic in sns.list_topics()["Topics"]]
    found["subscriptions"] = sns.list_subscriptions()["Subscriptions"]
    iam, ec2, s3, elb = (shell.boto(name) for name in ("iam", "ec2", "s3", "elbv2"))
    found["role"] = iam.get_role(RoleName="task")["Role"]
    found["policies"] = iam.list_attached_role_policies(RoleName="task")["AttachedPolicies"]
    found["vpcs"] = ec2.describe_vpcs()["Vpcs"]
    found["subnets"] = sorted(ec2.describe_subnets()["Subnets"], key=lambda subnet: subnet["SubnetId"])
    found["groups"] = sorted(ec2.describe_security_groups()["SecurityGroups"], key=lambda group: group["GroupId"])
    got = s3.get_object(Bucket="reports", Key="nightly/ü 1.csv")
    found["object"] = (got["Body"].read(), got["ETag"], got["LastModified"], got["Metadata"], got["ContentType"])
    found["target groups"] = elb.describe_target_groups()["TargetGroups"]
    assert vpc in [one["VpcId"] for one in found["vpcs"]]
    return found


async def test_what_the_cli_made_survives_kill_nine_and_goes_on(daemons: Make, subscriber: Subscriber, tmp_path: Path) -> None:
    daemon = daemons(*OPTIONS)
    await daemon.start()
    shell = Shell(daemon)
    aws = shell.aws
    await aws("ssm", "put-parameter", "--name", "/app/url", "--type", "SecureString", "--value", "postgres://db")
    await aws("secretsmanager", "create-secret", "--name", "db", "--secret-string", "first")
    await aws("secretsmanager", "put-secret-value", "--secret-id", "db", "--secret-string", "second")
    queue = (await aws("sqs", "create-queue", "--queue-name", "jobs"))["QueueUrl"]
    sent = await aws("sqs", "send-message", "--queue-url", queue, "--message-body", "a job")
    queue_arn = (await aws("sqs", "get-queue-attributes", "--queue-url", queue, "--attribute-names", "QueueArn"))["Attributes"]["QueueArn"]
    topic = (await aws("sns", "create-topic", "--name", "alerts"))["TopicArn"]
    await aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", queue_arn)
    await aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "http", "--notification-endpoint", subscriber.url)
    published = await aws("sns", "publish", "--topic-arn", topic, "--message", "it burns")
    await aws("iam", "create-role", "--role-name", "task", "--assume-role-policy-document", TRUST)
    await aws("iam", "attach-role-policy", "--role-name", "task", "--policy-arn", POLICY)
    vpc = (await aws("ec2", "create-vpc", "--cidr-block", "10.1.0.0/16"))["Vpc"]["VpcId"]
    for number in (1, 2):
        await aws("ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", f"10.1.{number}.0/24")
    group = (await aws("ec2", "create-security-group", "--vpc-id", vpc, "--group-name", "web", "--description", "web"))["GroupId"]
    await aws("s3", "mb", "s3://reports")
    (tmp_path / "report.csv").write_text("a;b\n1;2\n")
    await aws("s3", "cp", str(tmp_path / "report.csv"), "s3://reports/nightly/ü 1.csv", "--metadata", "by=cli,run_id=7")
    await aws("elbv2", "create-target-group", "--name", "web", "--protocol", "HTTP", "--port", "80", "--target-type", "ip", "--vpc-id", vpc)
    await until(lambda: subscriber.heard, "the HTTP subscriber hears")
    before = await asyncio.to_thread(seen, shell, vpc)
    assert before["versions"] and len(before["subscriptions"]) == 2

    shell = await reborn(daemon)
    aws = shell.aws
    assert await asyncio.to_thread(seen, shell, vpc) == before
    queue = (await aws("sqs", "list-queues"))["QueueUrls"][0]
    received = (await aws("sqs", "receive-message", "--queue-url", queue, "--max-number-of-messages", "10"))["Messages"]
    bodies = {message["Body"] if message["Body"] == "a job" else json.loads(message["Body"])["MessageId"] for message in received}
    assert bodies == {"a job", published["MessageId"]}
    assert sent["MessageId"] in {message["MessageId"] for message in received}
    for message in received:
        await aws("sqs", "delete-message", "--queue-url", queue, "--receipt-handle", message["ReceiptHandle"])
    third = await aws("secretsmanager", "put-secret-value", "--secret-id", "db", "--secret-string", "third")
    assert third["VersionId"] not in before["versions"]
    await aws("ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "80", "--cidr", "0.0.0.0/0")
    again = await aws("sns", "publish", "--topic-arn", topic, "--message", "it burns again")
    await until(lambda: len(subscriber.heard) > 1, "the HTTP subscriber hears again")
    assert [one["Message"] for one in subscriber.heard] == ["it burns", "it burns again"]
    assert again["MessageId"] != published["MessageId"]

    shell = await reborn(daemon)
    secrets = shell.boto("secretsmanager").get_secret_value
    assert (await asyncio.to_thread(secrets, SecretId="db"))["SecretString"] == "third"
    previous = await asyncio.to_thread(lambda: secrets(SecretId="db", VersionStage="AWSPREVIOUS"))
    assert previous["VersionId"] == before["secret"]["VersionId"]
    sqs = shell.boto("sqs")
    url = sqs.list_queues()["QueueUrls"][0]
    (left,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]
    assert json.loads(left["Body"])["Message"] == "it burns again"
    assert len(subscriber.heard) == 2
    assert "answered otherwise" not in daemon.output, daemon.output


async def test_cloudwatch_speaks_cbor_keys_of_iam_sign_and_urls_are_presigned(daemons: Make) -> None:
    daemon = daemons(*OPTIONS)
    await daemon.start()
    shell = Shell(daemon)

    def work() -> tuple[dict[str, Any], dict[str, str]]:
        # As the SDKs of other languages do, which try CBOR first.
        with patch("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", ("smithy-rpc-v2-cbor", *PRIORITY_ORDERED_SUPPORTED_PROTOCOLS)):
            cloudwatch = shell.boto("cloudwatch")
        types: list[str] = []
        cloudwatch.meta.events.register("before-send", lambda request, **rest: types.append(str(request.headers["Content-Type"])))
        cloudwatch.put_metric_alarm(AlarmName="late", MetricName="Late", Namespace="Jobs", Statistic="Sum", Period=60, Threshold=1.0,
                                    EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold")  # fmt: skip
        kept = rows(daemon)
        for number in range(5):
            cloudwatch.put_metric_data(Namespace="Jobs", MetricData=[{"MetricName": "Late", "Value": number}])
        assert rows(daemon) == kept == 1
        assert "Late" in [metric["MetricName"] for metric in cloudwatch.list_metrics()["Metrics"]]
        assert types and all("cbor" in one for one in types), types
        iam = shell.boto("iam")
        iam.create_user(UserName="ci")
        key = iam.create_access_key(UserName="ci")["AccessKey"]
        iam.create_role(RoleName="task", AssumeRolePolicyDocument=TRUST)
        assumed = shell.boto("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/task", RoleSessionName="night")["Credentials"]
        s3 = shell.boto("s3")
        s3.create_bucket(Bucket="health", CreateBucketConfiguration={"LocationConstraint": shell.region})
        return key, assumed

    key, assumed = await asyncio.to_thread(work)
    shell = await reborn(daemon)

    def later() -> None:
        assert [alarm["AlarmName"] for alarm in shell.boto("cloudwatch").describe_alarms()["MetricAlarms"]] == ["late"]
        made = shell.boto("s3", key["AccessKeyId"], key["SecretAccessKey"])
        made.put_object(Bucket="health", Key="a", Body=b"x" * (9 << 20))
        role = shell.boto("s3", assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
        assert len(role.get_object(Bucket="health", Key="a")["Body"].read()) == 9 << 20
        with pytest.raises(ClientError, match=r"security token|Access Key"):
            shell.boto("s3", assumed["AccessKeyId"], assumed["SecretAccessKey"], "another").list_buckets()
        with pytest.raises(ClientError, match="signature"):
            shell.boto("s3", key["AccessKeyId"], "wrong").list_buckets()
        old = shell.boto("s3").generate_presigned_url("get_object", {"Bucket": "health", "Key": "a"})
        assert "Please use AWS4-HMAC-SHA256" in httpx.get(old).text
        s3 = shell.boto("s3", signature="s3v4")
        put = s3.generate_presigned_url("put_object", {"Bucket": "health", "Key": "p q"})
        assert httpx.put(put, content=b"through a URL").status_code == 200
        get = s3.generate_presigned_url("get_object", {"Bucket": "health", "Key": "p q"})
        assert httpx.get(get).content == b"through a URL"
        assert httpx.get(get.replace("p%20q", "a")).status_code in (400, 403)

    await asyncio.to_thread(later)


async def test_ours_stay_ours_and_the_unknown_is_named(daemons: Make) -> None:
    daemon = daemons(*OPTIONS)
    await daemon.start()
    shell = Shell(daemon)
    for service, operation in (
        # moto has these three, and is not asked: the services are ours.
        ("ecs", "list_services"),
        ("events", "list_event_sources"),
        ("logs", "describe_export_tasks"),
        # Nobody here has this one.
        ("gamelift", "list_fleets"),
    ):
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(lambda service=service, operation=operation: getattr(shell.boto(service), operation)())
        assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
        assert "Hinoban does not implement" in caught.value.response["Error"]["Message"]
    # Ours answer with what is ours: moto's Scheduler and CloudTrail begin without it.
    groups = (await asyncio.to_thread(lambda: shell.boto("scheduler").list_schedule_groups()))["ScheduleGroups"]
    assert [group["Name"] for group in groups] == ["default"]
    assert (await asyncio.to_thread(lambda: shell.boto("cloudtrail").list_trails()))["Trails"] == []
    # moto's own control API would empty everything: to us it is a bucket's name.
    s3 = shell.boto("s3")
    with pytest.raises(ClientError, match=r"NoSuchBucket|NoSuchKey|does not exist"):
        await asyncio.to_thread(lambda: s3.get_object(Bucket="moto-api", Key="data.json"))
    # A reset empties the street too.
    ssm = shell.boto("ssm")
    await asyncio.to_thread(lambda: ssm.put_parameter(Name="/a", Value="1", Type="String"))
    client = Client(shell.url, Credentials(shell.key_id, shell.secret), shell.region, clock=SystemClock())
    await client.post("reset", {})
    await client.close()
    assert rows(daemon) == 0
    with pytest.raises(ClientError, match=r"ParameterNotFound"):
        await asyncio.to_thread(lambda: ssm.get_parameter(Name="/a"))
    with pytest.raises(ClientError, match=r"InvalidClientTokenId"):
        await asyncio.to_thread(lambda: shell.boto("sts", "AKIDNOBODY").get_caller_identity())


async def test_ten_thousand_writes_are_replayed_and_damage_is_skipped_loudly(daemons: Make, capsys: pytest.CaptureFixture[str]) -> None:
    daemon = daemons(*OPTIONS)
    await daemon.start()
    shell = Shell(daemon)
    client = Client(shell.url, Credentials(shell.key_id, shell.secret), shell.region, clock=SystemClock(), timeout=120)
    slots = asyncio.Semaphore(8)
    queue = (await client.call("sqs", "CreateQueue", {"QueueName": "many"}))["QueueUrl"]

    async def write(number: int) -> None:
        async with slots:
            if number % 2:
                await client.call("ssm", "PutParameter", {"Name": f"/many/{number}", "Value": str(number), "Type": "String"})
            else:
                await client.call("sqs", "SendMessage", {"QueueUrl": queue, "MessageBody": str(number)})

    began = time.monotonic()
    await asyncio.gather(*(write(number) for number in range(1, MANY)))
    wrote = time.monotonic() - began
    await client.close()
    assert rows(daemon) == MANY
    await daemon.kill()
    with contextlib.closing(sqlite3.connect(daemon.state / "engine.db")) as connection, connection:
        stored = b"".join(row[0] for row in connection.execute("SELECT sealed FROM neighbour_writes"))
        assert b"/many/" not in stored
        damaged = [row[0] for row in connection.execute("SELECT number FROM neighbour_writes WHERE number IN (11, 500, 777)")]
        connection.execute("UPDATE neighbour_writes SET sealed = x'00' WHERE number = 11")
        connection.execute("UPDATE neighbour_writes SET sealed = sealed || x'00' WHERE number = 500")
        connection.execute(
            "UPDATE neighbour_writes SET sealed = (SELECT sealed FROM neighbour_writes WHERE number = 12) WHERE number = 777"
        )
    await daemon.start()
    shell = Shell(daemon)
    began = time.monotonic()
    ssm = shell.boto("ssm")
    found = await asyncio.to_thread(
        lambda: [one["Name"] for page in ssm.get_paginator("describe_parameters").paginate(MaxResults=50) for one in page["Parameters"]]
    )
    took = time.monotonic() - began
    attributes = shell.boto("sqs").get_queue_attributes(
        QueueUrl=queue.replace(queue.split("/")[2], shell.url.split("/")[2]), AttributeNames=["All"]
    )
    waiting = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
    assert len(damaged) == 3
    assert len(found) + waiting == MANY - 1 - 3
    assert "3 writes of the neighbours' log are damaged and were skipped (numbers 11, 500, 777)" in daemon.output
    assert "answered otherwise" not in daemon.output
    assert MANY < MOST_WRITES
    with capsys.disabled():
        print(f"\n{MANY} writes in {wrote:.1f} s; replayed, and all parameters listed, {took:.1f} s after a restart")
    assert took < 90


async def test_a_message_that_is_gone_leaves_nothing_in_the_log(daemons: Make) -> None:
    daemon = daemons(*OPTIONS)
    await daemon.start()
    shell = Shell(daemon)

    def work() -> None:
        sqs = shell.boto("sqs")
        url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
        for number in range(20):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
        assert sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]
        for _ in range(2):
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        began = time.monotonic()
        assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
        assert 0.9 < time.monotonic() - began < 10
        assert rows(daemon) == 1

        threading.Timer(0.5, lambda: shell.boto("sqs").send_message(QueueUrl=url, MessageBody="late")).start()
        assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]["Body"] == "late"

    await asyncio.to_thread(work)


SCRIPT = """
import { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, ListObjectsV2Command, HeadObjectCommand, DeleteObjectCommand }
  from "@aws-sdk/client-s3";
import { Readable } from "node:stream";
const s3 = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1 });
if (process.argv[2] === "make") {
  await s3.send(new CreateBucketCommand({ Bucket: "from-js" }));
  await s3.send(new PutObjectCommand({ Bucket: "from-js", Key: "a b/ü+.txt", Body: "hello", Metadata: { by: "js" } }));
  await s3.send(new PutObjectCommand({ Bucket: "from-js", Key: "stream", Body: Readable.from([Buffer.alloc(70000, "x")]), ContentLength: 70000 }));
}
const got = await s3.send(new GetObjectCommand({ Bucket: "from-js", Key: "a b/ü+.txt" }));
const head = await s3.send(new HeadObjectCommand({ Bucket: "from-js", Key: "stream" }));
const list = await s3.send(new ListObjectsV2Command({ Bucket: "from-js" }));
let missing = "";
try { await s3.send(new GetObjectCommand({ Bucket: "from-js", Key: "none" })); } catch (error) { missing = error.name; }
console.log(JSON.stringify({ body: await got.Body.transformToString(), by: got.Metadata.by, etag: got.ETag, size: head.ContentLength,
  keys: list.Contents.map(one => one.Key), missing }));
"""


async def test_the_javascript_sdks_s3_client(daemons: Make, tmp_path: Path) -> None:
    await with_package(tmp_path, "@aws-sdk/client-s3@3")
    (tmp_path / "s3.mjs").write_text(SCRIPT)
    daemon = daemons(*OPTIONS)
    await daemon.start()

    async def run(shell: Shell, *words: str) -> Any:
        return json.loads(await run_node(tmp_path, "s3.mjs", *words, environ=shell.environ))

    made = await run(Shell(daemon), "make")
    assert made["etag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert {name: made[name] for name in ("body", "by", "size", "keys", "missing")} == {
        "body": "hello", "by": "js", "size": 70000, "keys": ["a b/ü+.txt", "stream"], "missing": "NoSuchKey",
    }  # fmt: skip
    assert await run(await reborn(daemon)) == made


async def test_a_neighbours_process_that_dies_is_replaced_and_nothing_is_lost(daemons: Make) -> None:
    import psutil

    daemon = daemons(*OPTIONS)
    await daemon.start()
    shell = Shell(daemon)

    def children() -> list[psutil.Process]:
        assert daemon._process is not None
        return [one for one in psutil.Process(daemon._process.pid).children() if any("neighbours.child" in word for word in one.cmdline())]

    assert children() == []
    ssm = shell.boto("ssm")
    await asyncio.to_thread(lambda: ssm.put_parameter(Name="/a", Value="1", Type="String"))
    (first,) = children()
    first.kill()
    assert (await asyncio.to_thread(lambda: ssm.get_parameter(Name="/a")))["Parameter"]["Value"] == "1"
    assert await asyncio.to_thread(lambda: ssm.put_parameter(Name="/a", Value="2", Type="String", Overwrite=True)["Version"]) == 2
    (second,) = children()
    assert second.pid != first.pid
    await daemon.kill()
    second.wait(20)
    await daemon.start()


def make_of_everything(shell: Shell) -> None:
    """One thing or two of many services, chosen for their dice: keys, certificates, passwords, sets, lazily made defaults."""
    ec2, kms = shell.boto("ec2"), shell.boto("kms")
    for kind in ("rsa", "ed25519"):
        ec2.create_key_pair(KeyName=kind, KeyType=kind)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")
    kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    shell.boto("acm").request_certificate(DomainName="example.com")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
    shell.boto("elbv2").create_load_balancer(Name="front", Subnets=subnets)
    shell.boto("dynamodb").create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    shell.boto("dynamodb").put_item(TableName="t", Item={"id": {"S": "1"}})
    shell.boto("kinesis").create_stream(StreamName="s", ShardCount=2)
    shell.boto("kinesis").put_record(StreamName="s", Data=b"x", PartitionKey="k")
    shell.boto("ecr").create_repository(repositoryName="app")
    shell.boto("rds").create_db_instance(DBInstanceIdentifier="db", DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
                                         MasterUsername="u", MasterUserPassword="long enough")  # fmt: skip
    pool = shell.boto("cognito-idp").create_user_pool(PoolName="p")["UserPool"]["Id"]
    shell.boto("cognito-idp").create_user_pool_client(UserPoolId=pool, ClientName="c", GenerateSecret=True)
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}, "T": {"Type": "AWS::SNS::Topic"}, "B": {"Type": "AWS::S3::Bucket"}}}
    shell.boto("cloudformation").create_stack(StackName="stack", TemplateBody=json.dumps(template))
    shell.boto("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    shell.boto("efs").create_file_system(CreationToken="1")
    s3 = shell.boto("s3")
    s3.create_bucket(Bucket="versions", CreateBucketConfiguration={"LocationConstraint": shell.region})
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket="versions", Key="k", Body=body)
    upload = s3.create_multipart_upload(Bucket="versions", Key="large")["UploadId"]
    part = s3.upload_part(Bucket="versions", Key="large", UploadId=upload, PartNumber=1, Body=b"x" * (5 << 20))["ETag"]
    s3.complete_multipart_upload(
        Bucket="versions", Key="large", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]}
    )
    iam = shell.boto("iam")
    iam.create_role(RoleName="sfn", AssumeRolePolicyDocument=TRUST)
    machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    shell.boto("stepfunctions").create_state_machine(name="m", definition=json.dumps(machine), roleArn="arn:aws:iam::123456789012:role/sfn")
    iam.create_instance_profile(InstanceProfileName="profile")
    fifo = shell.boto("sqs").create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})
    shell.boto("sqs").send_message(QueueUrl=fifo["QueueUrl"], MessageBody="1", MessageGroupId="g")


def look_at_everything(shell: Shell) -> dict[str, Any]:
    s3 = shell.boto("s3")
    calls = {
        "ec2": ("describe_key_pairs", "describe_vpcs", "describe_instances", "describe_network_interfaces", "describe_volumes"),
        "kms": ("list_keys", "list_aliases"),
        "acm": ("list_certificates",),
        "elbv2": ("describe_load_balancers",),
        "dynamodb": ("list_tables",),
        "ecr": ("describe_repositories",),
        "rds": ("describe_db_instances",),
        "cloudformation": ("describe_stacks",),
        "route53": ("list_hosted_zones",),
        "efs": ("describe_file_systems",),
        "stepfunctions": ("list_state_machines",),
        "iam": ("list_roles", "list_instance_profiles"),
        "s3": ("list_buckets",),
        "sns": ("list_topics",),
    }
    found = {f"{service}:{name}": bare(getattr(shell.boto(service), name)()) for service, names in calls.items() for name in names}
    found["versions"] = [
        (one["VersionId"], one["ETag"], one["LastModified"]) for one in s3.list_object_versions(Bucket="versions")["Versions"]
    ]
    # These are always now.
    del found["rds:describe_db_instances"]["DBInstances"][0]["LatestRestorableTime"]
    del found["efs:describe_file_systems"]["FileSystems"][0]["SizeInBytes"]["Timestamp"]
    found["stream"] = bare(shell.boto("kinesis").describe_stream(StreamName="s"))
    found["item"] = shell.boto("dynamodb").get_item(TableName="t", Key={"id": {"S": "1"}})["Item"]
    return found


async def test_many_services_answer_the_same_in_the_next_life(daemons: Make) -> None:
    daemon = daemons(*OPTIONS)
    await daemon.start()
    shell = Shell(daemon)
    await asyncio.to_thread(make_of_everything, shell)
    before = await asyncio.to_thread(look_at_everything, shell)
    after = await asyncio.to_thread(look_at_everything, await reborn(daemon))
    for name in before:
        assert pprint.pformat(after[name]) == pprint.pformat(before[name])
    assert "answered otherwise" not in daemon.output, daemon.output
