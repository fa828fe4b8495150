"""A headless Chromium, spoken to over DevTools' own pipe, with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

# DevTools reads from descriptor 3 and writes to 4; a shell cannot name descriptors above 9.
_PLUG = """
import os, sys
reads, writes = (os.dup(int(text)) for text in sys.argv[1:3])
spare = os.dup2(reads, 30), os.dup2(writes, 31)
os.dup2(30, 3), os.dup2(31, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One page in a browser of its own.

    Attributes:
        events: what the page told, such as its console's messages.
    """

    def __init__(self, program: str, profile: Path) -> None:
        """Start it, with `profile` for its files."""
        self.events: list[dict[str, Json]] = []
        self._count = 0
        self._session = ""
        read_here, written_there = os.pipe()
        read_there, written_here = os.pipe()
        self._process = subprocess.Popen(
            [
                sys.executable, "-c", _PLUG, str(read_there), str(written_there), program,
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
            ],
            pass_fds=(read_there, written_there),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_there)
        os.close(written_there)
        self._into: IO[bytes] = os.fdopen(written_here, "wb")
        self._outof: IO[bytes] = os.fdopen(read_here, "rb")
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = str(attached["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._into.close()
        self._outof.close()

    def call(self, method: str, **parameters: Json) -> dict[str, Json]:
        """Ask for one thing and wait for the answer."""
        self._count += 1
        message: dict[str, Json] = {
            "id": self._count, "method": method, "params": dict(parameters)
        }  # fmt: skip
        if self._session:
            message["sessionId"] = self._session
        self._into.write(json.dumps(message).encode() + b"\0")
        self._into.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                result = answer["result"]
                assert isinstance(result, dict)
                return result
            self.events.append(answer)

    def open(self, path: Path, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Show a file in a window of this size, and wait until it is complete."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme: dict[str, Json] = {
            "name": "prefers-color-scheme", "value": "dark" if dark else "light"
        }  # fmt: skip
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def read(self, expression: str) -> Json:
        """The value of an expression of JavaScript."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        assert isinstance(result, dict)
        return result.get("value")

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse, move it, let it go."""
        steps = (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end))
        for kind, (x, y) in steps:
            self.call(
                "Input.dispatchMouseEvent",
                type=kind, x=x, y=y, button="left", buttons=1, clickCount=1,
            )  # fmt: skip

    def press(self, key: str) -> None:
        """Press and let go a key, such as `ArrowRight`."""
        code = {"ArrowLeft": 37, "ArrowRight": 39}[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code=key, windowsVirtualKeyCode=code,
            )  # fmt: skip

    def screenshot(self, target: Path) -> None:
        """Draw the whole page, beyond the window too."""
        drawn = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        target.write_bytes(base64.b64decode(str(drawn)))

    def _next(self) -> dict[str, Json]:
        data = bytearray()
        while (byte := self._outof.read(1)) != b"\0":
            assert byte, "the browser is gone"
            data += byte
        message = json.loads(data)
        assert isinstance(message, dict)
        return message
