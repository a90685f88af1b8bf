"""`up`, `watch`, `demo`, `version`: what starts a process of ours rather than asking one."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from hinoban.cli.shell import Format, OutputOption, guarded, print_json, print_line


def up(
    port: Annotated[int | None, typer.Option(help="Where to listen, on 127.0.0.1 (default 4566).", min=0, max=65535)] = None,
    state: Annotated[Path | None, typer.Option(help="Where everything is kept.", metavar="DIR")] = None,
    runtime: Annotated[
        str | None, typer.Option(help="What runs containers: auto (the default: Docker where a socket answers), docker, process, fake.")
    ] = None,
    capacity: Annotated[str | None, typer.Option(help="How much room there is, e.g. 4vcpu:8GB.", metavar="CPU:MEMORY")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Do not check signatures.")] = False,
    config: Annotated[Path | None, typer.Option(help="A TOML file; config.example.toml shows all of it.", metavar="FILE")] = None,
    region: Annotated[str | None, typer.Option(help="The region of calls that name none.")] = None,
    account: Annotated[str | None, typer.Option(help="The account id, 12 digits.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave tasks running at Ctrl-C.")] = False,
    forget_after: Annotated[str | None, typer.Option(help="How long stopped tasks are described, e.g. 1h.", metavar="TIME")] = None,
) -> None:
    """Start the engine and its watch; Ctrl-C stops them."""

    def work() -> int | None:
        from hinoban.daemon.main import run_up
        from hinoban.daemon.options import UpOptions

        return run_up(
            UpOptions(
                port=port,
                state=state,
                runtime=runtime,
                capacity=capacity,
                auth=not no_auth,
                config=config,
                region=region,
                account=account,
                keep=keep,
                forget_after=forget_after,
            )
        )

    guarded(work)


def watch(
    config: Annotated[Path | None, typer.Option(help="A TOML file; [aws] in config.example.toml is what counts.", metavar="FILE")] = None,
    state: Annotated[Path | None, typer.Option(help="Where everything is kept.", metavar="DIR")] = None,
    profile: Annotated[str | None, typer.Option(help="The AWS profile (default: the environment's).", metavar="NAME")] = None,
    region: Annotated[str | None, typer.Option(help="The region to watch (default: the profile's).")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="An endpoint that stands in for AWS.", metavar="URL")] = None,
) -> None:
    """Watch AWS accounts until Ctrl-C; observes only, unless a policy allows more."""

    def work() -> int | None:
        from hinoban.daemon.options import WatchOptions
        from hinoban.daemon.standing import run_watch

        return run_watch(WatchOptions(state=state, config=config, profile=profile, region=region, endpoint_url=endpoint_url))

    guarded(work)


def demo(
    runtime: Annotated[str, typer.Option(help="auto (the default: Docker where it answers), docker or process.")] = "auto",
) -> None:
    """Run five tasks here; four go wrong, and each is seen, explained and told."""

    def work() -> int | None:
        from hinoban.daemon.demo import run_demo

        return run_demo(runtime)

    guarded(work)


def version(output: OutputOption = Format.TABLE) -> None:
    """Print Hinoban's version."""
    number = installed_version("hinoban")
    if output is Format.JSON:
        print_json({"version": number})
    else:
        print_line(f"hinoban {number}")
