# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt config and the directories of configuration (rkt-config(5)); rkt.md 3.5, CFG cases. What is wrong with single files is in
src/config/test-config.c."""
import json
import os
import pathlib
import select
import socket
import threading

import pytest

BASIC = {"user": "foo", "password": "bar"}


def auth(domains, credentials=None, **more):
    """A file of kind auth; basic unless told otherwise."""
    return {"rktKind": "auth", "rktVersion": "v1", "domains": domains, "type": "basic",
            "credentials": credentials or BASIC, **more}


def docker(registries, user="foo"):
    """A file of kind dockerAuth."""
    return {"rktKind": "dockerAuth", "rktVersion": "v1", "registries": registries,
            "credentials": {"user": user, "password": "bar"}}


def paths(**more):
    """A file of kind paths."""
    return {"rktKind": "paths", "rktVersion": "v1", **more}


def stage1(**more):
    """A file of kind stage1."""
    return {"rktKind": "stage1", "rktVersion": "v1", **more}


class Dirs:
    """A system, a local and a user directory."""

    def __init__(self, top, host):
        self.top, self.host = top, host
        self.flags = [f"--{d}-config={top / d}" for d in ("system", "local", "user")]

    def put(self, where, content, mode=0o600):
        """Write a file; content is text or a document."""
        path = self.top / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        path.chmod(mode)
        return path

    def rkt(self, *args, **kwargs):
        """rkt with these directories."""
        return self.host.rkt(*self.flags, *args, **kwargs)

    def config(self):
        """What rkt config prints, as rkt's own test calls it."""
        out = self.rkt("--debug", "--insecure-options=image", "--pretty-print=false", "config").out
        return json.loads(out)["stage0"]


@pytest.fixture(name="dirs")
def _dirs(host, tmp_path):
    return Dirs(tmp_path, host)


def test_config_prints_one_element_for_each_thing(dirs):
    """CFG-01, CFG-02, CFG-03, CFG-05, CFG-07: as rkt prints them, one domain or registry each"""
    dirs.put("local/auth.d/a.json", auth(["a.com", "b.com"]))
    dirs.put("local/auth.d/d.json", docker(["quay.io", "gcr.io"]))
    dirs.put("local/paths.d/p.json", paths(**{"data": "/data", "stage1-images": "/images"}))
    dirs.put("local/stage1.d/s.json", stage1(name="example.com/s", version="1.2", location="/s.aci"))
    assert dirs.config() == [
        auth(["a.com"]), auth(["b.com"]), docker(["gcr.io"]), docker(["quay.io"]),
        paths(**{"data": "/data", "stage1-images": "/images"}),
        stage1(name="example.com/s", version="1.2", location="/s.aci")]


def test_config_of_later_directories_wins(dirs):
    """CFG-04, CFG-06, CFG-08: per domain, per registry, per path; name and version together, location by itself"""
    dirs.put("system/auth.d/a.json", auth(["a.com", "b.com"]))
    dirs.put("user/auth.d/other.json", auth(["a.com"], {"token": "t"}, type="oauth"))
    dirs.put("system/auth.d/d.json", docker(["quay.io", "gcr.io"]))
    dirs.put("user/auth.d/d.json", docker(["quay.io"], "other"))
    dirs.put("system/paths.d/p.json", paths(**{"data": "/data", "stage1-images": "/images"}))
    dirs.put("user/paths.d/p.json", paths(data="/mine"))
    dirs.put("local/stage1.d/s.json", stage1(name="example.com/s", version="1.2", location="/s.aci"))
    dirs.put("user/stage1.d/s.json", stage1(location="https://example.com/s.aci"))
    assert dirs.config() == [
        auth(["a.com"], {"token": "t"}, type="oauth"), auth(["b.com"]), docker(["gcr.io"]), docker(["quay.io"], "other"),
        paths(**{"data": "/mine", "stage1-images": "/images"}),
        stage1(name="example.com/s", version="1.2", location="https://example.com/s.aci")]


def test_config_is_indented_for_people(dirs):
    """--pretty-print is the default"""
    out = dirs.rkt("config").out
    assert out.startswith('{\n\t"stage0": [\n') and len(json.loads(out)["stage0"]) == 2


def test_wrong_configuration_is_named(dirs):
    """a value said twice in one directory, a wrong field, another version: the file and the field"""
    dirs.put("local/auth.d/a.json", auth(["a.com"]))
    bad = dirs.put("local/auth.d/b.json", auth(["a.com"]))
    result = dirs.rkt("config", check=254)
    assert f"'{bad}': auth for domain \"a.com\" is already specified" in result.err and result.out == ""
    dirs.put("local/auth.d/b.json", auth(["b.com"], type="digest"))
    assert f"'{bad}': unknown auth type: \"digest\" (field 'type')" in dirs.rkt("config", check=254).err
    dirs.put("local/auth.d/b.json", auth(["b.com"], rktVersion="v7"))
    assert f"'{bad}': rktVersion of kind \"auth\" is \"v7\"" in dirs.rkt("config", check=254).err


def test_files_with_secrets_and_their_permissions(dirs):
    """read by everybody: a warning; written by everybody: refused; links are not read, and a warning says so"""
    path = dirs.put("local/auth.d/a.json", auth(["a.com"]), 0o644)
    assert f"'{path}' has credentials and can be read by everybody" in dirs.rkt("config").err
    path.chmod(0o602)
    assert f"'{path}' can be written by everybody" in dirs.rkt("config", check=254).err
    path.chmod(0o600)
    os.symlink(path, dirs.top / "local/auth.d/b.json")
    result = dirs.rkt("config")
    assert "b.json' is a link and is not read" in result.err and "a.com" in result.out


def test_unreadable_credentials_do_not_stop_commands_that_need_none(dirs, host):
    """robustness CVE-2021-41092: whoever needs the credentials stops; image list goes on"""
    dirs.put("local/auth.d/a.json", auth(["a.com"]))
    dirs.top.chmod(0o755)
    for part in dirs.top.parents:
        if part.stat().st_mode & 0o001 == 0 and part != pathlib.Path("/"):
            part.chmod(part.stat().st_mode | 0o011)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    result = host.run(*user, "rkt", *dirs.flags, "config", check=254)
    assert "a.json': Permission denied" in result.err
    (dirs.top / "data").mkdir(mode=0o755)
    result = host.run(*user, "rkt", *dirs.flags, f"--dir={dirs.top}/data", "list", check=False)
    assert "a.json" not in result.all


def test_the_data_directory_of_the_configuration(dirs, host, images, tmp_path):
    """paths.d says where data is; --dir counts more"""
    dirs.put("local/paths.d/p.json", paths(data=str(tmp_path / "data")), 0o644)
    dirs.rkt("--insecure-options=image", "fetch", images.make("example.com/config-data"))
    assert "example.com/config-data" in dirs.rkt("image", "list").out
    assert (tmp_path / "data/cas/blob").is_dir()
    assert "example.com/config-data" not in dirs.rkt("image", "list", f"--dir={tmp_path}/other", check=False).out
    assert "example.com/config-data" not in host.rkt("image", "list").out


def test_a_wrong_data_directory_stops_what_needs_data(dirs):
    """but not version and help"""
    path = dirs.put("local/paths.d/p.json", paths(data="relative"), 0o644)
    assert f"'{path}': data directory must be an absolute path" in dirs.rkt("image", "list", check=254).err
    assert dirs.rkt("version").err == "" and dirs.rkt("help").err == ""


class Proxy(threading.Thread):
    """An HTTP proxy for CONNECT; `asked` is what came: (host and port, Proxy-Authorization)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked = []
        self.start()

    def run(self):
        while True:
            try:
                client = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        """One connection."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        lines = head.decode().split("\r\n")
        target = lines[0].split()[1]
        self.asked.append((target, next((li.split(": ")[1] for li in lines if li.startswith("Proxy-Authorization")), None)))
        name, port = target.split(":")
        with client, socket.create_connection((name, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            pair = {client: server, server: client}
            while True:
                for ready in select.select(list(pair), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    pair[ready].sendall(data)


def test_proxies_of_the_configuration(dirs, server, images, no_images):  # pylint: disable=unused-argument
    """proxy.d: used, with its credentials; not for noProxy; the environment counts more"""
    proxy, other = Proxy(), Proxy()
    doc = {"rktKind": "proxy", "rktVersion": "v1", "https": f"http://u:p@127.0.0.1:{proxy.port}", "noProxy": ["images.test"]}
    dirs.put("local/proxy.d/p.json", doc)
    assert dirs.config()[-1] == {**doc, "http": ""}
    urls = [server.publish(f"{name}/proxied", images.busybox) for name in ("example.com", "images.test")]
    fetch = ["--insecure-options=image", "fetch", "--no-store"]
    dirs.rkt(*fetch, *urls)
    assert proxy.asked == [("example.com:443", "Basic dTpw")]
    dirs.rkt(*fetch, urls[0], env={"HTTPS_PROXY": f"127.0.0.1:{other.port}"})
    assert proxy.asked == [("example.com:443", "Basic dTpw")] and other.asked == [("example.com:443", None)]
    assert dirs.put("local/proxy.d/p.json", doc, 0o644) and "can be read by everybody" in dirs.rkt("config").err
    for p in (proxy, other):
        p.socket.close()
