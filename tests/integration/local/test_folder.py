"""One stack per data folder, also after a kill, and secrets where others cannot look."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.folder import DataFolder
from deploy.local.process import CannotStart

CHECKOUT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from deploy.local.folder import DataFolder
DataFolder(Path(sys.argv[1])).secret("keepa_api_key", "secret")
print("held", flush=True)
time.sleep(60)
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Open the folder in another process, as a second `up` would."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_folder_in_use_is_refused_and_the_holder_named(tmp_path: Path) -> None:
    """Two servers over the same files destroy them."""
    with hold(tmp_path) as holder:
        with pytest.raises(CannotStart, match=rf"in use by process {holder.pid}\."):
            DataFolder(tmp_path)
        holder.kill()


def test_a_folder_whose_holder_was_killed_opens_again_without_its_secrets(tmp_path: Path) -> None:
    """Whoever kills a stack wants to start it again, and did not mean to leave a key behind."""
    with hold(tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()

    folder = DataFolder(tmp_path)

    assert not (tmp_path / "secrets" / "keepa_api_key").exists()
    folder.close()


def test_a_secret_is_for_our_user_only_and_goes_when_the_stack_stops(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)

    secret = folder.secret("keepa_api_key", "secret")

    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.parent.stat().st_mode & 0o777 == 0o700
    folder.close()
    assert not secret.exists()


def test_the_description_is_always_whole_and_gone_when_nothing_runs(tmp_path: Path) -> None:
    """A script that reads it while it is replaced must not see half of it."""
    folder = DataFolder(tmp_path)

    folder.describe({"pid": 1})
    folder.describe({"pid": 2})

    assert json.loads((tmp_path / "stack.json").read_text()) == {"pid": 2}
    folder.close()
    assert not (tmp_path / "stack.json").exists()


def test_a_folder_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(CannotStart, match="cannot be used: Not a directory") as refused:
        DataFolder(file)

    assert "--data" in str(refused.value)
