"""The command line: arguments in, one line on stderr and an exit status where something is wrong.

Exit status: 0 done, 1 failed, 2 asked for something that cannot be, 130 stopped by Ctrl-C, 143 by
SIGTERM. Commands import what they need when they run, so that `upreel --help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Annotated

import typer

from upreel import __version__
from upreel.cli.bench import bench
from upreel.cli.compare import compare
from upreel.cli.console import is_verbose, say, set_up_logging
from upreel.cli.data import data
from upreel.cli.denoise import denoise
from upreel.cli.doctor import doctor
from upreel.cli.eval import evaluate
from upreel.cli.farm import farm
from upreel.cli.models import app as models
from upreel.cli.probe import probe
from upreel.cli.stopping import STATUS, Terminated, say_kept, say_stopped, stopping_in_time
from upreel.cli.train import train
from upreel.cli.upscale import upscale
from upreel.core.files import Pending, discard_pending
from upreel.core.heap import keep_freed_memory
from upreel.errors import UpreelError, is_out_of_memory

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command()(upscale)
app.command()(farm)
app.command()(denoise)
app.command()(probe)
app.add_typer(models, name="models")
app.command()(doctor)
app.command("eval")(evaluate)
app.command()(bench)
app.command()(compare)
app.command()(train)
app.add_typer(data, name="data")


def show_version(asked: bool) -> None:
    """Print the version and stop, if it was asked for."""
    if asked:
        typer.echo(f"upreel {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def upreel(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Super-resolve video: sharper and larger, with sound, subtitles and timing as they were.

    Begin with: upreel upscale in.mp4 out.mp4
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what follows the program's name; that of this process without them.

    Returns:
        The exit status.
    """
    set_up_logging()
    Pending.kept.clear()
    given = sys.argv[1:] if arguments is None else arguments
    keep_freed_memory()
    with stopping_in_time(given):
        return _run(given)


def _run(arguments: list[str]) -> int:
    try:
        status = app(arguments, prog_name="upreel", standalone_mode=False)
    except UpreelError as error:
        say(str(error))
        status = error.exit_status
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        say(f"{message}. See 'upreel --help', 'upreel COMMAND --help'.")
        status = error.exit_code
    except Terminated:
        status = STATUS[signal.SIGTERM]
    except KeyboardInterrupt:
        status = STATUS[signal.SIGINT]
    except Exception as error:
        status = 1
        if is_verbose() or os.environ.get("UPREEL_DEBUG"):
            traceback.print_exc()
        if is_out_of_memory(error):
            ours = isinstance(error, MemoryError) and str(error)
            say(ours or "memory does not suffice; try --tile 256 or a smaller --scale")
        else:
            say(
                f"unexpected {type(error).__name__}: {error}. This is a mistake in upreel: "
                "please report it with what the same command prints with -v"
            )
    if status in STATUS.values():  # of an exception, or as typer reports Ctrl-C
        discard_pending()
        say_stopped()
    if status:
        say_kept(arguments)
    return status if isinstance(status, int) else 0
