# SPDX-License-Identifier: LGPL-2.1-or-later
"""Credentials: read by pod@NAME.service, in memory only, and given to exactly one app."""
import pathlib
import subprocess

import pytest

from conftest import DATA, ISOLATED, app_section

SHOW = "cd $CREDENTIALS_DIRECTORY 2>/dev/null || exit 0; for f in *; do echo $f=$(cat $f); done; stat -f -c %T ."
SECRET = "s3cr3t-of-the-test"


def has_import(host):
    """ImportCredential= came with systemd 254."""
    return int(host.run("systemctl", "--version").out.split()[1]) >= 254


@pytest.fixture
def sealed(host):
    """An encrypted credential, called "sealed"."""
    host.run("systemd-creds", "setup", check=False)
    return host.run("systemd-creds", "encrypt", "--with-key=host", "--name=sealed", "-", "-", stdin="of-sealed").out


def test_each_to_its_app(host, pods, images, tmp_path, sealed):
    """LoadCredential=, LoadCredentialEncrypted=, SetCredential=, ImportCredential=: the app's main process, its hooks and whoever enters
    have them, as its user; the other app, the manifest, the command line and the disk do not. APP.ID of the unit is the app's, too.
    ImportCredential=* takes what no other app has."""
    (tmp_path / "file").write_text(SECRET + "\n")
    (tmp_path / "sealed").write_text(sealed)
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o777)
    store = pathlib.Path("/run/credstore")
    store.mkdir(mode=0o700, exist_ok=True)
    (store / "t-import.one").write_text("of-import")
    wanted = {"load": SECRET, "sealed": "of-sealed", "set": 'a  "b" %n $x', "more": "of-unit"}
    imports = "ImportCredential=t-import.*\n" if has_import(host) else ""
    if imports:
        wanted["t-import.one"] = "of-import"
    name = pods.write("creds", ISOLATED +
                      app_section("one", images.busybox, f"({SHOW}) > /out/.main; mv /out/.main /out/main; exec sleep infinity",
                                  f"Volume={tmp_path}/out:/out\nUser=1000\nGroup=1000\n"
                                  f"LoadCredential=load:{tmp_path}/file\nLoadCredentialEncrypted=sealed:{tmp_path}/sealed\n{imports}"
                                  'SetCredential=set:a  "b" %%n $x\n'
                                  f'ExecStartPre=/bin/sh -c "({SHOW.replace("$", "$$").replace("%", "%%")}) > /out/pre"\n') +
                      app_section("two", images.busybox, f"({SHOW}) > /out/.two; mv /out/.two /out/two; exec sleep infinity",
                                  f"Volume={tmp_path}/out:/out\nSetCredential=load:other\n") +
                      (app_section("all", images.busybox, f"({SHOW}) > /out/.all; mv /out/.all /out/all; exec sleep infinity",
                               f"Volume={tmp_path}/out:/out\nImportCredential=*\nImportCredential=one*\nSetCredential=set:mine\n")
                   if imports else "") + "[Service]\nSetCredential=one.more:of-unit\nSetCredential=free:of-unit\n")
    pods.start(name)
    try:
        if imports:
            host.wait_for("all", (tmp_path / "out/all").exists, timeout=60)
            lines = (tmp_path / "out/all").read_text().splitlines()
            assert {"set=mine", "t-import.one=of-import", "free=of-unit"} <= set(lines)
            assert not [line for line in lines if line.startswith(("one.", "two.", "sealed="))], lines
        host.wait_for("both", lambda: (tmp_path / "out/two").exists() and (tmp_path / "out/main").exists(), timeout=60)
        assert (tmp_path / "out/two").read_text().splitlines()[:-1] == ["load=other"]
        lines = (tmp_path / "out/main").read_text().splitlines()
        assert dict(line.split("=", 1) for line in lines[:-1]) == {k: " ".join(v.split()) for k, v in wanted.items()}
        assert lines[-1] in ("ramfs", "tmpfs", "UNKNOWN")
        assert (tmp_path / "out/pre").read_text().splitlines() == lines
        assert host.rkt("enter", "--app=one", name, "/bin/sh", "-c", SHOW).out.splitlines() == lines
        assert host.rkt("enter", "--app=two", name, "/bin/cat", "/run/host/credentials/one.load", check=1).out == ""
        assert SECRET not in host.run("ps", "-eww", "-o", "args").out
        found = subprocess.run(["grep", "-rslF", "--exclude-dir=cas", "-e", SECRET, "-e", "of-sealed", f"{DATA}/pods", f"{DATA}/volumes"],
                               capture_output=True, text=True, check=False)
        assert found.stdout == "", "on disk"
    finally:
        (store / "t-import.one").unlink()


def test_what_is_wrong(host, pods, images):
    """A missing file fails the start with systemd's words; a bad name is told with file and line, without the value."""
    name = pods.shell("creds", images.busybox, "true", app="LoadCredential=a:/nowhere\n")
    assert pods.start(name, check=False).rc != 0
    assert "243/CREDENTIALS" in host.status(f"pod@{name}")
    name = pods.shell("creds", images.busybox, "true", app="SetCredential=a/b:hidden-value\nLoadCredential=x:../y\n")
    assert pods.start(name, check=False).rc != 0
    text = host.status(f"pod@{name}")
    assert "SetCredential: not a name and a value" in text or "not a name of a credential" in text
    assert "LoadCredential: not a name and a path" in text and "hidden-value" not in text.replace("SetCredential=", "")


def test_flags(host, images, tmp_path):
    """rkt run --set-credential, --load-credential: of the app before them alone, also of a pod that was prepared; the value is in no
    manifest; a file is read when the pod starts; what is wrong."""
    (tmp_path / "file").write_text("first")
    words = ["--insecure-options=image", "prepare", "--quiet"]
    for n, flags in enumerate([["--set-credential=set:a  b:c", "--load-credential=load:file", "--set-credential=load2:x"], []]):
        words += [images.busybox, f"--name=app{n}", "--exec=/bin/sh", *flags, "--", "-c", SHOW.replace("echo $f", f"echo {n} $f"), "---"]
    uuid = host.rkt(*words, cwd=tmp_path).out.strip()
    (tmp_path / "file").write_text(SECRET)
    manifest = host.rkt("cat-manifest", uuid).out
    assert "a  b:c" not in manifest and SECRET not in manifest
    done = host.rkt("run-prepared", uuid, check=False).out.splitlines()
    assert {"0 load=" + SECRET, "0 load2=x", "0 set=a b:c"} == {li for li in done if "=" in li and "*" not in li}, done
    assert subprocess.run(["grep", "-rsqF", SECRET, f"{DATA}/pods/run/{uuid}"], check=False).returncode != 0
    assert pathlib.Path(DATA, "pods/run", uuid, "credentials").stat().st_mode & 0o7777 == 0o700
    host.rkt("rm", uuid)
    before = host.pod_states()
    for flag, what in ((f"--load-credential=x:{tmp_path}/none", "No such file"), ("--load-credential=x:/", "not a regular file"),
                       ("--set-credential=" + "x" * 250 + ":y", "too long a name")):
        refused = host.rkt("--insecure-options=image", "run", images.busybox, flag, check=254)
        assert what in refused.err, refused
    assert host.pod_states() == before
