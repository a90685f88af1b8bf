"""Errors that a person reads: what happened, why we think so, what to do now."""


class HinobanError(Exception):
    """An error with its three required parts; the CLI prints them, `-o json` has them as fields.

    `exit_code` is what the CLI ends with when nobody handles it (docs/cli.md lists the codes).
    """

    def __init__(self, what: str, why: str, todo: str, *, exit_code: int = 1) -> None:
        super().__init__(f"{what}: {why}. {todo}")
        self.what = what
        self.why = why
        self.todo = todo
        self.exit_code = exit_code


class ConfigError(HinobanError):
    """A bad configuration; `what` names the path of the value, `why` the rule, `todo` the allowed values."""

    def __init__(self, path: str, why: str, todo: str) -> None:
        super().__init__(path, why, todo, exit_code=2)
