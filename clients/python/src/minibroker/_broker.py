"""Starting and stopping the broker's process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Deque, List, Optional, Type
from collections import deque

from ._api import Api

_NAME = "minibroker.exe" if sys.platform == "win32" else "minibroker"


def binary() -> str:
    """The broker's program: MINIBROKER_BINARY, the wheel's, or that on the PATH."""
    given = os.environ.get("MINIBROKER_BINARY")
    if given:
        return given
    carried = Path(__file__).parent / "bin" / _NAME
    if carried.exists():
        return str(carried)
    found = shutil.which("minibroker")
    if found:
        return found
    raise RuntimeError("there is no minibroker program: install the wheel, or set MINIBROKER_BINARY to one")


class Broker(Api):
    """A running broker. Its ports are free ones, so that many run side by side."""

    def __init__(self, *flags: str) -> None:
        # A broker must not take settings that were meant for another.
        env = {name: value for name, value in os.environ.items() if not name.startswith("MINIBROKER_")}
        command = [binary(), "--port", "0", "--http-port", "0", "--api", "on", "--ui", "off", "--clock", "movable", "--transcript", "1000", *flags]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True, encoding="utf-8", errors="replace")
        self._log: Deque[str] = deque(maxlen=1000)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.bootstrap = ""  # what a client sets as bootstrap.servers
        url = ""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("bootstrap.servers="):
                self.bootstrap = line.partition("=")[2].strip()
            elif line.startswith("http"):
                url = line.strip()
                break
        if not url:
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()
            raise RuntimeError("minibroker did not start: " + "".join(self._log).strip())
        super().__init__(url)

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._log.append(line)

    @property
    def log(self) -> List[str]:
        """The newest lines of the broker's log."""
        return list(self._log)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """Stop the broker. Closing twice is fine."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()


def start(*flags: str) -> Broker:
    """Start a broker with flags of the minibroker program, such as "--topic", "orders:3". Close it, or use it in a with
    statement."""
    return Broker(*flags)
