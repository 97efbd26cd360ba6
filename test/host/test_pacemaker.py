# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pacemaker's ocf:heartbeat:rkt agent, which Debian ships, by its own tester: OCF-1, and what a pod's end is to it: OCF-2."""
import os

import pytest

from images import aci

AGENT = "/usr/lib/ocf/resource.d/heartbeat/rkt"
IMAGE = "example.com/t-cluster:1.0.0"  # as column 2 of `rkt image list` has it, which the agent looks for
pytestmark = pytest.mark.usefixtures("installed", "no_images")


@pytest.fixture(name="image")
def _image(host, server, images, trusted):
    """A signed image where discovery leads to; a pod's network by its default."""
    app = dict(aci.SH_APP, exec=["/bin/sh", "-c", "exec sleep 1000"])
    server.publish("example.com/t-cluster", images.make("example.com/t-cluster", app=app, root=aci.busybox_root), key=trusted)
    yield IMAGE
    for line in host.rkt("list", "--no-legend", "--full", check=False).out.splitlines():
        if "t-cluster" in line:
            host.rkt("stop", "--force", line.split()[0], check=False)
            host.wait_for("its end", lambda u=line.split()[0]: host.rkt("rm", u, check=False).rc == 0)


def agent(host, action, name, **parameters):
    """One action of the agent, as Pacemaker's executor calls it."""
    env = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": name, "OCF_RESOURCE_TYPE": "rkt", "OCF_RA_VERSION_MAJOR": "1",
           "OCF_RA_VERSION_MINOR": "1", "OCF_RESOURCE_PROVIDER": "heartbeat", "HA_LOGFACILITY": "daemon",
           "__OCF_ACTION": action, "PATH": os.environ["PATH"], **{f"OCF_RESKEY_{k}": str(v) for k, v in parameters.items()}}
    return host.run(AGENT, action, env=env, check=False)


def test_ocf_tester(host, image):
    """OCF-1: start, monitor, stop, each also when there is nothing to do; the image is pulled at the first start; the monitor's command
    is run in the app."""
    done = host.run("ocf-tester", "-v", "-n", "t-cluster", "-o", f"image={image}", "-o", "allow_pull=true",
                    "-o", "run_opts=--no-overlay=false", "-o", "monitor_cmd=true", AGENT, check=False, timeout=300)
    assert done.rc == 0 and "passed all tests" in done.out, done
    assert "t-cluster" not in host.rkt("list", "--no-legend").out


def test_what_happens_to_a_resource(host, image):
    """OCF-2: an app that dies is seen, and started again; a monitor command that fails, and one that is not there (127); a forced stop."""
    name = "t-cluster-x"
    assert agent(host, "start", name, image=image, allow_pull="true").rc == 0
    assert agent(host, "monitor", name, image=image).rc == 0
    uuid = next(li.split()[0] for li in host.rkt("list", "--no-legend", "--full").out.splitlines() if li.split()[1] == name)
    assert agent(host, "monitor", name, image=image, monitor_cmd="false").rc == 1
    assert agent(host, "monitor", name, image=image, monitor_cmd="/no/such/program").rc == 2
    host.rkt("stop", "--force", uuid)
    host.wait_for("the agent sees it", lambda: agent(host, "monitor", name, image=image).rc == 7)
    assert agent(host, "start", name, image=image).rc == 0
    listed = [li.split()[0] for li in host.rkt("list", "--no-legend", "--full").out.splitlines() if li.split()[1] == name]
    assert len(listed) == 1 and listed[0] != uuid
    assert agent(host, "stop", name, image=image, force_kill="true").rc == 0
    assert agent(host, "stop", name, image=image).rc == 0
    assert name not in host.rkt("list", "--no-legend").out
