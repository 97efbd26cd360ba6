# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the host suite: black-box tests of the installed product, as root, in a lab.

    host      run commands, read journals, wait            pods      write pod files, start and stop them
    images    ACIs, made once                              server    HTTPS, discovery, misbehaviour (images.server)
    net, method, net_d, outside                            networks of pods (networks)
    fake_registry, debian_registry                         registries of OCI images (images.registry, images.oci)
    signer    the key that `trusted` trusts for example.com

After every test nothing may be left: no running pod, no mount, no process, no half-made file in the store.
"""
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from images import aci, keys, registry as registry_module, server as server_module  # noqa: E402  pylint: disable=wrong-import-position
from tree_mount import loops  # noqa: E402  pylint: disable=wrong-import-position

CACHE = os.environ.get("RKT_TEST_CACHE", "/var/tmp/rkt-test")
pytest_plugins = ["networks"]
DATA = "/var/lib/rkt"
POD_DIR = "/etc/rkt/pods"
PREFIX = "t-"  # of the pods that tests make
PATIENCE = 4  # limits are for a quiet machine and a plain build; others may take so many times longer
PRIVATE_USERS = os.environ.get("RKT_TEST_PRIVATE_USERS")  # "pick": of every pod file that says nothing of it


ISOLATED = "[Pod]\nNetwork=none\nInsecureOptions=image\n"


def app_section(name, image, script=None, more=""):
    """An [App] that runs a shell script (None: what the image says)."""
    quoted = (script or "").replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    run = f'Exec=/bin/sh -c "{quoted}"\n' if script is not None else ""
    return f"[App {name}]\nImage={image}\n{run}{more}\n"


class Result:
    """What a command did: rc, out, err; `all` is both outputs."""

    def __init__(self, done):
        self.rc, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.all = self.out + self.err
        self.args = done.args

    def __repr__(self):
        return f"<{self.args!r} -> {self.rc}\n--- stdout\n{self.out}--- stderr\n{self.err}>"


class Host:
    """The machine under test."""

    def run(self, *command, check=True, stdin=None, timeout=120, env=None, cwd=None):
        """Run a command given as words; check=True: it must exit 0, check=False: any status, check=N: exactly N."""
        words = [str(w) for w in command]
        done = subprocess.run(words, capture_output=True, text=True, errors="surrogateescape", input=stdin,
                              timeout=timeout * PATIENCE, env={**os.environ, **env} if env else None, cwd=cwd, check=False)
        result = Result(done)
        wanted = 0 if check is True else check
        assert check is False or result.rc == wanted, f"expected exit status {wanted}: {result!r}"
        return result

    def sh(self, script, **kwargs):
        """Run a shell script, for what only a shell says shortly."""
        return self.run("sh", "-euc", script, **kwargs)

    def rkt(self, *args, **kwargs):
        """Run rkt."""
        return self.run("rkt", *args, **kwargs)

    def spawn(self, *command, **kwargs):
        """Start a command in the background; the caller waits for it."""
        return subprocess.Popen([str(w) for w in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                **kwargs)

    def wait_for(self, what, check, timeout=20, interval=0.05):
        """Until check() is true; returns its value. For what sends no event that a shell could wait for."""
        end = time.monotonic() + timeout * PATIENCE
        while True:
            value = check()
            if value:
                return value
            if time.monotonic() > end:
                pytest.fail(f"{what}: not after {timeout * PATIENCE} s (last: {value!r})")
            time.sleep(interval)

    def show(self, unit, *properties, machine=None):
        """Properties of a unit, as a dictionary; one property: its value."""
        command = ["systemctl", *(["-M", machine] if machine else []), "show", unit,
                   *(f"--property={p}" for p in properties)]
        lines = self.run(*command).out.splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        return values.get(properties[0], "") if len(properties) == 1 else values

    def is_active(self, unit, machine=None):
        """Whether a unit is active, on the host or in a machine."""
        return self.show(unit, "ActiveState", machine=machine) == "active"

    def status(self, unit):
        """What a person sees: systemctl status, with all that the unit logged."""
        self.run("journalctl", "--sync")
        return self.run("systemctl", "status", "--no-pager", "--full", "--lines=200", unit, check=False).all

    def journal(self, *args, since=None):
        """Messages of the journal, one per line, everything logged until now included."""
        self.run("journalctl", "--sync")
        since = ["--since", f"@{since}"] if since else []
        return self.run("journalctl", "--no-pager", "-q", "-o", "cat", "--all", *since, *args, check=False).out

    def machines(self):
        """machinectl list as dictionaries."""
        return json.loads(self.run("machinectl", "list", "--output=json").out or "[]")

    def pod_states(self):
        """The pods on disk: {state directory: [UUID]}."""
        top = pathlib.Path(DATA, "pods")
        return {d.name: sorted(p.name for p in d.iterdir()) for d in sorted(top.iterdir()) if d.is_dir()} \
            if top.is_dir() else {}


class Pods:
    """Pod files of one test. Every name gets a prefix, so that nothing else can be meant; `name` gives it back."""

    def __init__(self, host):
        self.host = host
        self.names = []
        self.before = {p["name"] for p in json.loads(host.rkt("list", "--format=json", check=False).out or "[]") or []}

    def write(self, name, text, reload=True, suffix=""):
        """Write NAME.pod (suffix: NAME.podSUFFIX, as .d/10.conf); returns the pod's name."""
        name = name if name.startswith(PREFIX) else PREFIX + name
        path = pathlib.Path(POD_DIR, f"{name}.pod{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if PRIVATE_USERS and not suffix and "PrivateUsers=" not in text and "[App" in text:
            text = f"{text}\n[Pod]\nPrivateUsers={PRIVATE_USERS}\n"  # lines keep their numbers
        path.write_text(text)
        if name not in self.names:
            self.names.append(name)
        if reload:
            self.host.run("systemctl", "daemon-reload")
        return name

    def shell(self, name, image, script, app="", pod="", rest=""):
        """A pod of one app `main` that runs a shell script from an unsigned busybox image. `app`, `pod`: further keys
        of these sections; `rest`: further sections."""
        return self.write(name, f"{ISOLATED}{pod}\n{app_section('main', image, script, app)}\n{rest}")

    def start(self, name, check=True, timeout=120):
        """systemctl start, which comes back when the pod is ready or failed."""
        return self.host.run("systemctl", "start", f"pod@{name}", check=check, timeout=timeout)

    def stop(self, name, check=True):
        """systemctl stop."""
        return self.host.run("systemctl", "stop", f"pod@{name}", check=check)

    def uuid(self, name):
        """The UUID of the running pod: rkt's, which is the machine's too."""
        machine_id = self.host.run("machinectl", "show", name, "--property=Id", "--value").out.strip()
        return f"{machine_id[:8]}-{machine_id[8:12]}-{machine_id[12:16]}-{machine_id[16:20]}-{machine_id[20:]}"

    def ended(self, name, timeout=30):
        """Wait until pod@NAME is no longer active; returns its properties."""
        unit = f"pod@{name}"
        ends = ("inactive", "failed")
        self.host.wait_for(f"{unit} ends", lambda: self.host.show(unit, "ActiveState") in ends, timeout)
        return self.host.show(unit, "ActiveState", "Result", "ExecMainStatus", "ExecMainCode", "NRestarts")

    def ours(self):
        """The pods that this test made, as `rkt list --format=json` has them, oldest first."""
        listed = json.loads(self.host.rkt("list", "--format=json").out or "[]") or []
        return sorted((p for p in listed if p["name"] not in self.before), key=lambda p: p.get("created_at") or 0)

    def apps(self, uuid):
        """The recorded exit statuses: {app: status}, from rkt status."""
        lines = self.host.rkt("status", uuid).out.splitlines()
        return {k[4:]: int(v) for k, v in (li.split("=", 1) for li in lines if li.startswith("app-"))}

    def shell_in(self, where, *command, check=True):
        """machinectl shell APP@POD COMMAND, as from a terminal: its output without the noise of machinectl."""
        line = shlex.join(["machinectl", "--quiet", "shell", where, *command])
        done = self.host.run("script", "--quiet", "--return", "--command", line, "/dev/null", check=check, timeout=60)
        # at the end of its input script(1) types a NUL, which the terminal echoes as ^@
        # and machinectl of 257 resets the terminal's colours
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\^@", "", done.out.replace("\r\n", "\n"))

    def cleanup(self):
        """Stop and forget everything that was made."""
        for name in self.names:
            self.host.run("systemctl", "stop", f"pod@{name}.timer", f"pod@{name}.socket", f"pod@{name}.service",
                          f"pod-image@{name}.service", check=False)
        for name in self.names:
            if any(pathlib.Path("/etc/systemd/system").glob(f"*/pod@{name}.*")):  # it reloads systemd
                self.host.run("systemctl", "disable", f"pod@{name}.service", f"pod@{name}.socket", check=False)
            self.host.run("systemctl", "reset-failed", f"pod@{name}.service", f"pod@{name}.socket", f"pod@{name}.timer",
                          f"pod-image@{name}.service", check=False)
            for path in pathlib.Path(POD_DIR).glob(f"{name}.pod*"):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            for kind in ("service", "socket"):
                shutil.rmtree(f"/etc/systemd/system/pod@{name}.{kind}.d", ignore_errors=True)
            shutil.rmtree(f"{DATA}/volumes/{name}", ignore_errors=True)
            pathlib.Path("/run/rkt/started", name).unlink(missing_ok=True)
        if self.names:
            self.host.run("systemctl", "daemon-reload")
        for pod in self.ours():
            self.host.rkt("rm", pod["name"], check=False)


class Images:
    """ACIs in the cache, made when first asked for."""

    def __init__(self):
        self.cache = CACHE
        os.makedirs(CACHE, exist_ok=True)

    def build(self, name, **kwargs):
        """One of images.aci.IMAGES; returns its path."""
        return aci.build(name, self.cache, **kwargs)

    @property
    def busybox(self):
        """A path of the busybox image: the one to use when it does not matter."""
        return self.build("example.com/busybox")

    def make(self, name="example.com/busybox", file=None, compression="gz", root=aci.busybox_root, manifest=None, **kw):
        """An ACI of a test's own: `kw` goes to aci.manifest(), or `manifest` is the document itself."""
        doc = manifest if manifest is not None else aci.manifest(name, **kw)
        key = file or re.sub(r"[^a-z0-9]", "_", name.lower())
        text = doc if isinstance(doc, str) else json.dumps(doc, sort_keys=True)
        digest = hashlib.sha256(f"{text} {root.__name__} {compression}".encode()).hexdigest()[:16]
        path = os.path.join(self.cache, "made", f"{key}-{digest}.aci")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path if os.path.exists(path) else aci.pack(path, doc, aci.cached_root(root, self.cache), compression)


@pytest.fixture(scope="session")
def host():
    """The machine under test."""
    return Host()


@pytest.fixture(scope="session")
def images():
    """Images, made once."""
    return Images()


@pytest.fixture(scope="session")
def signer():
    """The key that signs what is good."""
    os.makedirs(CACHE, exist_ok=True)
    return keys.SigningKey(CACHE, "signer")


@pytest.fixture(scope="session")
def stranger():
    """A key that nobody trusts."""
    os.makedirs(CACHE, exist_ok=True)
    return keys.SigningKey(CACHE, "stranger")


@pytest.fixture(scope="session")
def authority():
    """Who issues the servers' certificates; this host trusts it."""
    os.makedirs(CACHE, exist_ok=True)
    made = keys.Authority(f"{CACHE}/ca")
    made.trust()
    return made


@pytest.fixture
def fake_registry(authority):
    """A registry of ours (images.registry), anonymous, empty, without rules."""
    registry_module.name_hosts()
    with registry_module.FakeRegistry(authority) as made:
        yield made


@pytest.fixture(scope="session")
def debian_registry(authority, tmp_path_factory):
    """Debian's docker-registry, anonymous, with TLS; for all tests together."""
    registry_module.name_hosts()
    with registry_module.DebianRegistry(str(tmp_path_factory.mktemp("registry")), authority) as made:
        yield made


@pytest.fixture(scope="session")
def _server(authority):
    server_module.name_hosts()
    with server_module.ImageServer(f"{CACHE}/docroot", authority, keys.Authority(f"{CACHE}/other-ca", "nobody")) as s:
        yield s


@pytest.fixture
def server(_server):
    """The HTTPS server, without rules and with nothing remembered."""
    _server.rules.clear()
    _server.requests.clear()
    yield _server
    _server.rules.clear()


@pytest.fixture
def trusted(host, signer):
    """The signer's key is trusted for example.com and for every hostile host."""
    prefixes = ["example.com", *server_module.HOSTILE, *server_module.BAD_CERT, *server_module.NOBODY]
    top = pathlib.Path("/etc/rkt/trustedkeys/prefix.d")
    for prefix in prefixes:
        (top / prefix).mkdir(parents=True, exist_ok=True)
        shutil.copy(signer.public, top / prefix / signer.fingerprint)
    yield signer
    for prefix in prefixes:
        shutil.rmtree(top / prefix, ignore_errors=True)


@pytest.fixture
def no_images(host):
    """An empty store: what other tests fetched is removed before and after."""
    _empty_store(host)
    yield
    _empty_store(host)


def _empty_store(host):
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s", check=False)
    listed = host.rkt("image", "list", "--no-legend", "--fields=id", "--full", check=False).out.split()
    if listed:
        host.rkt("image", "rm", *listed, check=False)
    host.rkt("image", "gc", "--grace-period=0s", check=False)


@pytest.fixture
def pods(host, installed):  # pylint: disable=unused-argument
    """Pod files of this test; everything made with it is stopped and removed after the test."""
    made = Pods(host)
    yield made
    made.cleanup()


@pytest.fixture(scope="session")
def installed(host):
    """Fails early, and once, where the product is not installed."""
    if shutil.which("rkt") is None:
        pytest.exit("rkt is not installed here: use ./lab test host, or ./lab install first", returncode=3)
    # tests reload by themselves; what rkt-pods.path does besides is for those that ask for `watched`
    host.run("systemctl", "stop", "rkt-pods.path")
    return host.rkt("version").out


@pytest.fixture
def watched(host):
    """rkt-pods.path is active during this test."""
    host.run("systemctl", "start", "rkt-pods.path")
    yield
    host.run("systemctl", "stop", "rkt-pods.path")
    host.wait_for("rest", lambda: "inactive" == host.show("rkt-pods.service", "ActiveState") ==
                  host.show("rkt-pods-check.service", "ActiveState"))


def leftovers():
    """What a finished test must not leave, as a list of sentences."""
    found = []
    with open("/proc/self/mountinfo") as f:
        for line in f:
            where = line.split()[4].replace("\\040", " ")
            if where.startswith(DATA + "/") and not where.startswith(DATA + "/small"):
                found.append(f"mounted: {where}")
    for top, _, _ in os.walk("/sys/fs/cgroup"):  # groups that go meanwhile are no errors to it
        if "machine.slice" not in top.split("/"):
            continue
        try:
            pids = pathlib.Path(top, "cgroup.procs").read_text().split()
        except OSError:
            continue
        found += [f"process {pid} in {top}" for pid in pids]
    found += [f"loop device over a file of the store: {name}" for name in loops()]
    tmp = pathlib.Path(DATA, "cas/tmp")
    if tmp.is_dir():
        found += [f"in the store: {p}" for p in tmp.iterdir()]
    for state in ("embryo", "prepare"):
        directory = pathlib.Path(DATA, "pods", state)
        if directory.is_dir():
            found += [f"half-made pod: {p}" for p in directory.iterdir()]
    for machine in pathlib.Path("/run/systemd/machines").glob("*"):
        if not machine.name.startswith("unit:"):
            found.append(f"registered machine: {machine.name}")
    return found


@pytest.fixture(autouse=True)
def nothing_left(request):
    """Every test ends clean; a test marked `leaves(reason)` says why it may not."""
    yield
    if request.node.get_closest_marker("leaves"):
        return
    end = time.monotonic() + 5 * PATIENCE
    while leftovers() and time.monotonic() < end:
        time.sleep(0.1)  # the kernel and machined finish asynchronously
    assert not leftovers(), "left behind:\n" + "\n".join(leftovers())


def pytest_configure(config):
    """Our markers."""
    config.addinivalue_line("markers", "leaves(reason): the test may leave things behind, because ...")
    config.addinivalue_line("markers", "pins(ids): ids of rkt.md, robustness.md that the test pins")
