# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pod that is still starting is stopped, at many moments of the start: nobody may be deaf to it (exit status, what is left)."""
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import DATA, ISOLATED, app_section

SCRIPT = "trap 'exit 0' TERM; sleep 600 & wait"
STEPS = 8  # moments, spread over a start and a bit
SOON = 60  # s; a stop that nobody heard would take systemd's 90, or for ever


class Early:
    """rkt run of one app that does not end by itself."""

    def __init__(self, host, image, file):
        self.host, self.image, self.file = host, image, file
        self.process, self.began = None, 0.0

    @property
    def uuid(self):
        """Of the last pod, as soon as it has one."""
        return self.file.read_text().strip() if self.file.exists() else None

    def start(self):
        """In a process group of its own, as a shell does it."""
        self.file.unlink(missing_ok=True)
        self.began = time.monotonic()
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["rkt", "--insecure-options=image", "--debug=false", "run", "--net=none", f"--uuid-file-save={self.file}", self.image,
             "--exec=/bin/sh", "--", "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)

    def wait_until_it_can_be_named(self):
        """rkt stop needs a pod that has left the state of being prepared."""
        self.host.wait_for("the pod", lambda: self.uuid and pathlib.Path(DATA, "pods/run", self.uuid).exists(), SOON, 0.001)

    def ends(self, status):
        """Soon, with that exit status; and rkt rm takes what is left."""
        try:
            _, err = self.process.communicate(timeout=SOON)
        except subprocess.TimeoutExpired:
            self.host.rkt("stop", "--force", self.uuid, check=False)
            self.process.kill()
            self.process.communicate()
            pytest.fail(f"was not heard {self.began:.3f} s after the start")
        assert self.process.returncode == status, err
        if self.uuid and any(self.uuid in there for there in self.host.pod_states().values()):
            self.host.rkt("status", f"--wait={SOON}s", self.uuid, check=False)
            self.host.rkt("rm", self.uuid)


@pytest.fixture(name="early")
def fixture_early(host, images, pods, tmp_path):  # pylint: disable=unused-argument
    """Its `moments` are seconds after the start, until a bit after the pod is ready."""
    made = Early(host, images.busybox, tmp_path / "uuid")
    made.start()
    made.wait_until_it_can_be_named()
    named = time.monotonic() - made.began
    host.rkt("status", f"--wait-ready={SOON}s", made.uuid)
    ready = time.monotonic() - made.began
    host.rkt("stop", made.uuid)
    made.ends(0)
    made.moments = [ready * 1.1 * n / STEPS for n in range(STEPS)]
    made.moments_with_a_name = [(ready - named) * 1.1 * n / STEPS for n in range(STEPS)]
    return made


def test_rkt_stop(host, early):
    """rkt stop of a pod in the foreground: the pod ends, and rkt run with 0, as when its apps are stopped later."""
    for delay in early.moments_with_a_name:
        early.start()
        early.wait_until_it_can_be_named()
        time.sleep(delay)
        assert host.rkt("stop", early.uuid).out == f'"{early.uuid}"\n'
        early.ends(0)


def test_rkt_stop_by_force(host, early):
    """rkt stop --force returns when the pod is down, so that rkt rm takes it at once."""
    for delay in early.moments_with_a_name[::3]:
        early.start()
        early.wait_until_it_can_be_named()
        time.sleep(delay)
        host.rkt("stop", "--force", early.uuid)
        host.rkt("rm", early.uuid)
        assert early.process.wait(timeout=SOON) in (0, -signal.SIGKILL)
        early.process.communicate()


def test_signals(early):
    """SIGTERM, and ^C of a terminal, which the whole process group gets: rkt run dies of the same signal."""
    for n, delay in enumerate(early.moments):
        early.start()
        time.sleep(delay)
        if n % 3 == 2:
            os.killpg(early.process.pid, signal.SIGINT)
        else:
            early.process.terminate()
        early.ends(-signal.SIGINT if n % 3 == 2 else -signal.SIGTERM)


def test_service(host, pods, images):
    """systemctl stop while pod@ is starting: it is down soon, and has not failed."""
    name = pods.write("early", ISOLATED + app_section("main", images.busybox, SCRIPT))
    began = time.monotonic()
    pods.start(name)
    took = time.monotonic() - began
    pods.stop(name)
    for n in range(STEPS):
        host.run("systemctl", "start", "--no-block", f"pod@{name}")
        time.sleep(took * 1.1 * n / STEPS)
        host.run("systemctl", "stop", f"pod@{name}", timeout=SOON)
        assert host.show(f"pod@{name}", "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
