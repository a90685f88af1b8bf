"""The tables of watch.db as SQLAlchemy Core sees them; migrations/ builds them. Portable: nothing that only SQLite has.

Moments are seconds since the epoch. `value` columns hold a struct of watch/model as JSON.
"""

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

tasks = Table(
    "tasks",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False),
    Column("region", String, nullable=False),
    Column("account", String, nullable=False),
    Column("arn", String, nullable=False),
    Column("family", String, nullable=False),
    Column("revision", Integer),
    Column("cluster", String, nullable=False),
    Column("group", String),
    Column("started_by", String),
    Column("created_at", Float),
    Column("started_at", Float),
    Column("stopped_at", Float),
    Column("last_status", String, nullable=False),
    Column("stop_code", String),
    Column("exit_code", Integer),
    Column("verdict", String),
    Column("class", String),  # the catalogue's name of the reason, of one that went wrong
    Column("version", Integer, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("versions", LargeBinary, nullable=False),  # a bitmap: which versions were seen, bit n for version n
    Column("timeline", LargeBinary),  # None while open: the events then stand in task_events
)
Index("tasks_by_id", tasks.c.id, tasks.c.region, tasks.c.account, unique=True)
Index("tasks_by_family", tasks.c.family, tasks.c.created_at)
Index("tasks_open", tasks.c.key, sqlite_where=tasks.c.open, postgresql_where=tasks.c.open)
Index(
    "tasks_by_starter",
    tasks.c.started_by,
    sqlite_where=tasks.c.started_by.like("hinoban/%"),
    postgresql_where=tasks.c.started_by.like("hinoban/%"),
)

task_events = Table(
    "task_events",
    metadata,
    Column("task_key", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("raw", LargeBinary, nullable=False),
)

task_expiries = Table(
    "task_expiries",
    metadata,
    Column("task_key", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),  # when the task is to be forgotten, where a policy says so
)
Index("task_expiries_by_at", task_expiries.c.at)

launches = Table(
    "launches",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("family", String, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("value", LargeBinary, nullable=False),
)
Index("launches_by_family", launches.c.family, launches.c.at)

stops = Table(
    "stops",
    metadata,
    Column("id", String, primary_key=True),
    Column("task_id", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("arn", String, nullable=False),
    Column("caller", String, nullable=False),
)
Index("stops_by_task", stops.c.task_id)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String, primary_key=True),
    Column("subject", String, nullable=False),
    Column("state", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("family", String, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("log_wanted", Integer, nullable=False),  # how often we shall still try to fetch the log's tail; 0: kept, or nothing to fetch
    Column("changed", Text),  # in what the definition differs from the last good run's: JSON, empty where in nothing; None: not looked at
    Column("log", Text),  # the last lines of the failed task's log, a JSON list
    Column("lead", String),  # the incident that speaks for it
)
Index("incidents_by_state", incidents.c.state, incidents.c.opened_at)
Index("incidents_by_family", incidents.c.family, incidents.c.opened_at)
Index("incidents_by_lead", incidents.c.lead, sqlite_where=incidents.c.lead.is_not(None), postgresql_where=incidents.c.lead.is_not(None))

retries = Table(
    "retries",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),
    Column("due_at", Float),
    Column("value", LargeBinary, nullable=False),
)
Index("retries_due", retries.c.state, retries.c.due_at)

schedules = Table(
    "schedules",
    metadata,
    Column("key", String, primary_key=True),
    Column("arn", String, nullable=False),
    Column("name", String, nullable=False),
    Column("gone_at", Float),  # when it was found to be deleted
    Column("expected_until", Float, nullable=False),  # its slots up to here have rows
    Column("value", LargeBinary, nullable=False),
)

slots = Table(
    "slots",
    metadata,
    Column("key", String, primary_key=True),
    Column("at", Float, primary_key=True),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("token", String),
    Column("incident_id", String),
    Column("value", LargeBinary, nullable=False),
)
Index("slots_by_at", slots.c.at)
Index("slots_by_name", slots.c.name, slots.c.at)
Index("slots_by_token", slots.c.token)
Index("slots_by_incident", slots.c.incident_id)
Index("slots_open", slots.c.key, sqlite_where=slots.c.open, postgresql_where=slots.c.open)

notes = Table(
    "notes",
    metadata,
    Column("id", String, primary_key=True),  # the event's id, which a repetition has too
    Column("at", Float, nullable=False),
    Column("subject", String, nullable=False),
    Column("value", LargeBinary, nullable=False),
)
Index("notes_by_subject", notes.c.subject, notes.c.at)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("channel", String, nullable=False),
    Column("state", String, nullable=False),  # queued, sent, dead
    Column("created_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),  # when it may be tried; of one that was sent or given up: when it was
    Column("attempts", Integer, nullable=False),
    Column("claimed_by", String),
    Column("claimed_until", Float),
    Column("last_error", Text),
    Column("value", LargeBinary, nullable=False),
)
Index("outbox_by_state", outbox.c.state, outbox.c.channel, outbox.c.id)

channel_state = Table(
    "channel_state",
    metadata,
    Column("channel", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

memories = Table(
    "memories",
    metadata,
    Column("name", String, primary_key=True),  # of a detector with a memory
    Column("key", String, primary_key=True),  # of what it remembers
    Column("due_at", Float),  # when it is to be asked by time
    Column("value", LargeBinary, nullable=False),
)
Index("memories_due", memories.c.due_at)

cursors = Table(
    "cursors",
    metadata,
    Column("source", String, primary_key=True),
    Column("feed", String, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("newest", Integer, nullable=False),
    Column("polled_at", Float, nullable=False),
    Column("gap_at", Float),  # when we last had to backfill: what happened before may be incomplete
)
