"""One line and an exit status, whatever happens."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings

import pytest

import upreel.video.probe
from upreel.cli import main
from upreel.errors import MediaError, UpreelError, UsageError


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `upreel probe` meet this error."""

    def probe(path: object, trust: object) -> None:
        raise error

    monkeypatch.setattr(upreel.video.probe, "probe", probe)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"upreel {upreel.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    for command in ("upscale", "probe", "models", "doctor", "train", "eval", "bench"):
        assert f" {command} " in shown


@pytest.mark.parametrize(
    "command", ["upscale", "probe", "models", "doctor", "train", "eval", "bench"]
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--verbose" in shown
    assert shown.strip().startswith(f"Usage: upreel {command}")


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from upreel.cli import main; main(['upscale', '--help']); "
        "sys.exit(' '.join({'torch', 'av', 'cv2', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("expected 4, found 5"), 2),
        (MediaError("expected 4, found 5"), 1),
        (UpreelError("expected 4,\n    found 5"), 1),
    ],
)
def test_an_error_is_one_line_and_its_own_exit_status(
    error: UpreelError,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    raising(monkeypatch, error)
    assert main(["probe", "a.mp4"]) == status
    captured = capsys.readouterr()
    assert captured.err == "upreel: expected 4, found 5\n"
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["enlarge"], "enlarge"),
        (["probe"], "IN"),
        (["upscale", "a.mp4", "b.mp4", "--scale", "huge"], "--scale"),
        (["probe", "a.mp4", "--nothing"], "--nothing"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("upreel: ")
    assert error.count("\n") == 1
    assert message in error


def test_ctrl_c_is_130_and_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert main(["probe", "a.mp4"]) == 130
    error = capsys.readouterr().err
    assert error.strip().startswith("upreel: stopped")
    assert "Traceback" not in error


@pytest.mark.parametrize("reason", ["", "memory does not suffice for tiles of 64 pixels"])
def test_too_little_memory_is_no_mistake_of_ours(
    reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, MemoryError(reason))
    assert main(["probe", "a.mp4"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("upreel: memory does not suffice")
    assert "mistake" not in error


@pytest.mark.parametrize("flags", [[], ["-v"]])
def test_the_unexpected_is_one_line_and_a_traceback_only_if_asked_for(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, ZeroDivisionError("division by zero"))
    assert main(["probe", "a.mp4", *flags]) == 1
    error = capsys.readouterr().err
    assert "unexpected ZeroDivisionError: division by zero" in error
    assert "please report it" in error
    assert ("Traceback" in error) == bool(flags)
    assert flags or error.count("\n") == 1


def test_the_environment_can_ask_for_tracebacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, ZeroDivisionError())
    monkeypatch.setenv("UPREEL_DEBUG", "1")
    assert main(["probe", "a.mp4"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error() -> None:
    code = "import sys; from upreel.cli import main; sys.exit(main(['--help']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("flags", "shown"), [([], ["careful"]), (["-v"], ["careful", "by the way"])]
)
def test_warnings_are_always_shown_and_information_with_v(
    flags: list[str],
    shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def probe(path: object, trust: object) -> None:
        logging.getLogger("upreel.video.reader").info("by the way")
        logging.getLogger("upreel.video.reader").warning("careful")
        raise MediaError("the end")

    monkeypatch.setattr(upreel.video.probe, "probe", probe)
    assert main(["probe", "a.mp4", *flags]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines) == sorted(f"upreel: {line}" for line in [*shown, "the end"])


def test_python_warnings_do_not_bother_users(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def probe(path: object, trust: object) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old function", DeprecationWarning, stacklevel=1)
        raise MediaError("the end")

    monkeypatch.setattr(upreel.video.probe, "probe", probe)
    main(["probe", "a.mp4"])
    assert capsys.readouterr().err == "upreel: the end\n"
