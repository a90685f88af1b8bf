"""`env`: makes any AWS client of this shell talk to Hinoban, and undoes it exactly."""

import shlex
from collections.abc import Mapping
from typing import Annotated

import msgspec
import typer

from hinoban.base.errors import HinobanError
from hinoban.cli.connection import Target, running, state_of
from hinoban.cli.shell import PortOption, StateOption, guarded, print_line, shell_of

BEFORE = "HINOBAN_ENV_BEFORE"
UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN")


def env(
    ctx: typer.Context,
    undo: Annotated[bool, typer.Option("--undo", help="Put back what was there before.")] = False,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Print shell lines that point AWS clients here:  eval "$(hinoban env)"."""
    environ = shell_of(ctx).environ

    def work() -> int | None:
        for line in undone(environ) if undo else exported(Target(port, state), environ):
            print_line(line)
        return 0

    guarded(work)


def exported(target: Target, environ: Mapping[str, str]) -> list[str]:
    """The lines that set endpoint, keys and region, unset what would win over them, and keep what was there for `--undo`."""
    daemon, keys = running(target, environ)
    values = {
        "AWS_ENDPOINT_URL": daemon.url,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_REGION": daemon.region,
        "AWS_DEFAULT_REGION": daemon.region,
        "HINOBAN_STATE": str(state_of(target, environ).resolve()),
    }
    # An endpoint of a single service, or a switch that ignores endpoints, would send calls to the real cloud.
    stray = [name for name in environ if name.startswith("AWS_ENDPOINT_URL_") or name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]
    unset = (*UNSET, *sorted(stray))
    lines = [] if BEFORE in environ else [_export(BEFORE, _saved((*values, *unset), environ))]
    lines += [_export(name, value) for name, value in values.items()]
    return [*lines, "unset " + " ".join(unset)]


def undone(environ: Mapping[str, str]) -> list[str]:
    """The lines that put back what `exported` kept."""
    try:
        before = msgspec.json.decode(environ[BEFORE].encode(), type=dict[str, str | None])
    except KeyError:
        raise HinobanError("Nothing to undo", f"{BEFORE} is not set in this shell", 'It is set by: eval "$(hinoban env)"') from None
    except msgspec.DecodeError as error:
        raise HinobanError("Cannot undo", f"{BEFORE} is not what `hinoban env` wrote: {error}", f"Run: unset {BEFORE}") from None
    lines = [f"unset {name}" if value is None else _export(name, value) for name, value in before.items()]
    return [*lines, f"unset {BEFORE}"]


def _saved(names: tuple[str, ...], environ: Mapping[str, str]) -> str:
    return msgspec.json.encode({name: environ.get(name) for name in names}).decode()


def _export(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"
