"""Puts the broker's binary into the wheel: that which MINIBROKER_BINARY names, or one that Go compiles from the
repository around this directory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NAME = "minibroker.exe" if sys.platform == "win32" else "minibroker"


class BuildWithBinary(build_py):
    def run(self):
        super().run()
        target = Path(self.build_lib).absolute() / "minibroker" / "bin" / NAME
        target.parent.mkdir(parents=True, exist_ok=True)
        given = os.environ.get("MINIBROKER_BINARY")
        if given:
            shutil.copyfile(given, target)
        elif (ROOT / "cmd" / "minibroker").is_dir() and shutil.which("go"):
            # Without cgo it needs no C library, and starts sooner.
            subprocess.run(
                ["go", "build", "-trimpath", "-ldflags=-s", "-o", str(target), "./cmd/minibroker"],
                cwd=ROOT, check=True, env={**os.environ, "CGO_ENABLED": "0"},
            )
        else:
            sys.exit("minibroker: there is no binary for the wheel: set MINIBROKER_BINARY to one, or install Go and build in the repository")
        target.chmod(0o755)


class PlatformWheel(bdist_wheel):
    """A wheel for any Python 3 on this platform: the binary is of the platform, the rest is plain Python."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        _, _, platform = super().get_tag()
        return "py3", "none", platform


setup(cmdclass={"build_py": BuildWithBinary, "bdist_wheel": PlatformWheel})
