"""Installs real programs for the tests into folders that are thrown away, with pip and npm as the machine has them."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

INSTALL_SECONDS = 420


@dataclass
class Programs:
    """What was installed in this session below `folder`; asking again for the same costs nothing."""

    folder: Path
    _installed: dict[tuple[str, ...], Path | str] = field(default_factory=dict)

    def python(self, *requirements: str) -> Path:
        """Return the executables of a virtual environment with the requirements; skip the test without them."""
        return self._once(("pip", *requirements))

    def npm(self, package: str) -> Path:
        """Return the executables of an npm package; skip the test without it."""
        return self._once(("npm", package))

    def _once(self, wanted: tuple[str, ...]) -> Path:
        if wanted not in self._installed:
            target = self.folder / str(len(self._installed))
            install = _pip if wanted[0] == "pip" else _npm
            self._installed[wanted] = install(target, wanted[1:])
        found = self._installed[wanted]
        if isinstance(found, str):
            pytest.skip(found)
        return found


def _pip(target: Path, requirements: tuple[str, ...]) -> Path | str:
    subprocess.run([sys.executable, "-m", "venv", target], check=True, timeout=INSTALL_SECONDS)
    command: list[str | Path] = [
        target / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        *requirements,
    ]
    failure = _run(command)
    return f"pip cannot install {' '.join(requirements)}: {failure}" if failure else target / "bin"


def _npm(target: Path, packages: tuple[str, ...]) -> Path | str:
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not on this machine"
    target.mkdir()
    failure = _run([npm, "install", "--prefix", target, "--no-audit", "--no-fund", "--loglevel", "error", *packages])
    return f"npm cannot install {' '.join(packages)}: {failure}" if failure else target / "node_modules" / ".bin"


def _run(command: list[str | Path]) -> str | None:
    """Run an installer; of a failure the beginning of its first error lines is returned."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        return f"not done after {INSTALL_SECONDS} seconds"
    if done.returncode == 0:
        return None
    errors = re.findall(r"^(?:ERROR:|npm error) *(.+)", done.stderr, re.MULTILINE)
    return "; ".join(error[:120] for error in errors[:2]) or f"exit code {done.returncode}"
