"""CreateArchive, DescribeArchive, ListArchives, UpdateArchive, DeleteArchive (facts/eventbridge.md §9)."""

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.event_patterns import compile_text
from hinoban.engine.events import errors
from hinoban.engine.events.api.names import find_bus
from hinoban.engine.events.model import Archive, Bus, archive_arn
from hinoban.engine.events.pages import one_filter, page
from hinoban.engine.events.state import EventsState

_ENABLED = "ENABLED"


class ArchiveOperations:
    """The operations on archives. One is there at once, and ENABLED for as long as it is there."""

    def __init__(self, state: EventsState) -> None:
        self._state = state
        self._archives = state.archives

    def operations(self) -> dict[str, Handler]:
        return {
            "CreateArchive": self.create,
            "DescribeArchive": self.describe,
            "ListArchives": self.list,
            "UpdateArchive": self.update,
            "DeleteArchive": self.delete,
        }

    def create(self, call: Call, params: Params) -> Result:
        name = params["ArchiveName"]
        if (call.region, name) in self._archives.archives:
            raise errors.archive_exists(name)
        bus = self._source(call, params["EventSourceArn"])
        if "EventPattern" in params:
            compile_text(params["EventPattern"])
        archive = Archive(
            region=call.region,
            name=name,
            arn=archive_arn(call.region, self._state.account, name),
            source_arn=bus.arn,
            bus=bus.name,
            pattern=params.get("EventPattern"),
            retention_days=params.get("RetentionDays", 0),
            description=params.get("Description"),
            kms_key=params.get("KmsKeyIdentifier"),
            created_at=call.now,
        )
        self._archives.put_archive(archive)
        return _answer(archive)

    def describe(self, call: Call, params: Params) -> Result:
        archive = self._find(call, params)
        found = {"ArchiveArn": archive.arn, **self._summary(archive)}
        for member, value in (
            ("Description", archive.description),
            ("EventPattern", archive.pattern),
            ("KmsKeyIdentifier", archive.kms_key),
        ):
            if value is not None:
                found[member] = value
        return found

    def list(self, call: Call, params: Params) -> Result:
        one_filter("ListArchives", params)
        source = self._source(call, params["EventSourceArn"]).arn if "EventSourceArn" in params else None
        state = params.get("State", _ENABLED)
        found = {
            archive.name: archive
            for archive in self._archives.archives.values()
            if archive.region == call.region and source in (None, archive.source_arn) and state == _ENABLED
        }
        names, more = page(found, params)
        return {"Archives": [self._summary(found[name]) for name in names], **more}

    def update(self, call: Call, params: Params) -> Result:
        """What is not given stays. Differs from AWS: an unknown archive answers an InternalException there."""
        archive = self._find(call, params)
        if "EventPattern" in params:
            compile_text(params["EventPattern"])
        archive = msgspec.structs.replace(
            archive,
            pattern=params.get("EventPattern", archive.pattern),
            retention_days=params.get("RetentionDays", archive.retention_days),
            description=params.get("Description", archive.description),
            kms_key=params.get("KmsKeyIdentifier", archive.kms_key),
        )
        self._archives.put_archive(archive)
        return _answer(archive)

    def delete(self, call: Call, params: Params) -> Result:
        self._archives.delete_archive(self._find(call, params).key)
        return {}

    def _find(self, call: Call, params: Params) -> Archive:
        found = self._archives.archives.get((call.region, params["ArchiveName"]))
        if found is None:
            raise errors.no_such_archive(params["ArchiveName"])
        return found

    def _source(self, call: Call, arn: str) -> Bus:
        if not arns.parse(arn).resource.startswith("event-bus/"):
            raise errors.invalid("Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN.")
        return find_bus(self._state, call.region, arn)

    def _summary(self, archive: Archive) -> Result:
        count, size = self._archives.size(archive.key)
        return {
            "ArchiveName": archive.name,
            "EventSourceArn": archive.source_arn,
            "State": _ENABLED,
            "RetentionDays": archive.retention_days,
            "SizeBytes": size,
            "EventCount": count,
            "CreationTime": archive.created_at,
        }


def _answer(archive: Archive) -> Result:
    return {"ArchiveArn": archive.arn, "State": _ENABLED, "CreationTime": archive.created_at}
