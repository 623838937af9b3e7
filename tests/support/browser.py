"""Debian's Chromium, headless, over the pipe of its DevTools protocol: no port, no driver.

What a page asks of the network and what it complains of is kept, so that a test can say: nothing.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60.0
SWITCHES = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-sandbox",  # tests run as root in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


def chromium() -> str | None:
    """The browser of this machine, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


needs_browser = pytest.mark.skipif(
    chromium() is None,
    reason="no chromium on this machine (apt-get install chromium, as .ci/run does)",
)


class PageFailed(AssertionError):
    """The page threw, or did not become what was waited for."""


class Page:
    """One tab. Answers and events come over the same pipe, in the order in which they happen."""

    def __init__(self, requests: int, answers: int) -> None:
        self.to_browser, self.from_browser = requests, answers
        self.ids, self.buffer = itertools.count(1), b""
        self.session: str | None = None
        self.errors: list[str] = []
        self.asked: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the browser and wait for its answer."""
        number = next(self.ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise PageFailed(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._notice(answer)

    def open(self, address: str) -> None:
        """Go to an address, and wait until what it names is loaded."""
        self.call("Page.navigate", url=address)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def value(self, expression: str) -> Any:
        """What an expression is in the page; promises are waited for."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise PageFailed(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def wait(self, expression: str, patience: float = PATIENCE) -> Any:
        """Wait until an expression is true in the page."""
        deadline = time.monotonic() + patience
        while not (found := self.value(expression)):
            if time.monotonic() > deadline:
                raise PageFailed(f"not within {patience:.0f} s: {expression}; {self.errors}")
            time.sleep(0.05)
        return found

    def click(self, selector: str) -> None:
        """Click in the middle of the first element that a selector finds, as a mouse would."""
        where = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=where[0],
                y=where[1],
                button="left",
                clickCount=1,
            )

    def choose(self, selector: str, value: str) -> None:
        """Take an option of a dropdown, as a person would."""
        self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            f"e.value = {json.dumps(value)};"
            "if (e.value !== " + json.dumps(value) + ") throw new Error('no such option');"
            "e.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """A screenshot, for a person to look at."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            found = os.read(self.from_browser, 1 << 16)
            if not found:
                raise PageFailed("the browser has ended")
            self.buffer += found
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def _notice(self, event: dict[str, Any]) -> None:
        method, told = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.errors.append(
                details.get("exception", {}).get("description") or details.get("text", "")
            )
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.errors.append(" ".join(str(a.get("value", a)) for a in told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"])


@contextmanager
def opened(folder: Path, width: int = 1280, height: int = 800) -> Iterator[Page]:
    """A tab of a browser of its own, which ends with the block."""
    binary = chromium()
    assert binary is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    redirected = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", redirected, binary, *SWITCHES, f"--user-data-dir={folder / 'profile'}"],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        page = Page(ours_out, ours_in)
        page.size(width, height)
        yield page
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(ours_out)
        os.close(ours_in)
