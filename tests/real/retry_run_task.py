"""The function of seed 003, word for word as its article gives it, and AWS Lambda's part in it: whatever the article's subscription filter
lets through of CloudTrail's records is handed to the function, in Node.js, as CloudWatch Logs hands it over."""

import base64
import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.real.daemon_support import RealDaemon
from tests.real.javascript import run_node, with_package

INDEX_MJS = """\
import { gunzipSync } from "zlib";
import { ECSClient, RunTaskCommand } from "@aws-sdk/client-ecs";
/**
* @see https://docs.aws.amazon.com/ja_jp/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample
*/
const parseLogEvents = (event) => {
const compressedBuffer = Buffer.from(event.awslogs.data, "base64");
const uncompressedBuffer = gunzipSync(compressedBuffer);
const uncompressedString = uncompressedBuffer.toString("utf-8");
const logData = JSON.parse(uncompressedString);
const { logEvents } = logData;
return { logEvents };
};
/**
* @see https://docs.aws.amazon.com/AWSJavaScriptSDK/v3/latest/client/ecs/command/RunTaskCommand/
*/
const executeRunTask = (input) => {
const client = new ECSClient();
const command = new RunTaskCommand(input);
try {
return client.send(command);
} catch (e) {
console.error(e);
throw e;
} finally {
client.destroy();
}
};
export const handler = async (event) => {
const { logEvents } = parseLogEvents(event);
await Promise.allSettled(
logEvents.map(({ message }) => {
const { eventTime, requestParameters } = JSON.parse(message);
const {
taskDefinition,
cluster,
count,
launchType,
networkConfiguration,
} = requestParameters;
console.info(`${eventTime} に ${taskDefinition} の起動が失敗しました`);
return executeRunTask({
taskDefinition,
cluster,
count,
launchType,
networkConfiguration,
});
})
);
return;
};
"""
_LATE = timedelta(seconds=3)
"""CloudTrail delivers some minutes later, never in the second of the call."""
_INVOKE_MJS = """\
import { text } from "node:stream/consumers";
import { handler } from "./index.mjs";
await handler(JSON.parse(await text(process.stdin)));
"""


class RetryRunTask:
    """The function, deployed in a folder. `environ` is its environment: region, endpoint and credentials."""

    def __init__(self, daemon: RealDaemon, folder: Path, environ: Mapping[str, str]) -> None:
        self._daemon = daemon
        self._folder = folder
        self._environ = environ
        self._seen = 0
        self.calls = 0
        self.said = ""

    async def deploy(self) -> None:
        """Give it the SDK that its runtime brings."""
        await with_package(self._folder, "@aws-sdk/client-ecs@3")
        (self._folder / "index.mjs").write_text(INDEX_MJS)
        (self._folder / "invoke.mjs").write_text(_INVOKE_MJS)

    async def step(self) -> None:
        """Call it with the records that have arrived since."""
        _, envelopes = await self._daemon.feed()
        records = [one["detail"] for one in envelopes if "eventName" in one["detail"] and _age(one["detail"]) >= _LATE]
        arrived, self._seen = records[self._seen :], len(records)
        if refused := [one for one in arrived if _refused(one)]:
            self.calls += len(refused)
            self.said += await run_node(self._folder, "invoke.mjs", environ=self._environ, given=json.dumps(_event(refused)))


def _age(record: Mapping[str, Any]) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(record["eventTime"])


def _refused(record: Mapping[str, Any]) -> bool:
    """`{ ($.eventName = "RunTask") && ($.responseElements.tasks[0] NOT EXISTS) }`"""
    return record.get("eventName") == "RunTask" and not (record.get("responseElements") or {}).get("tasks")


def _event(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What a subscription filter hands to a function (facts/logs.md)."""
    events = [{"id": str(number), "timestamp": 0, "message": json.dumps(record)} for number, record in enumerate(records)]
    data = {"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "cloudtrail", "logStream": "records"}
    data |= {"subscriptionFilters": ["RunTaskFailureFilter"]}
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(data | {"logEvents": events}).encode())).decode()}}
