# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many small questions to one pod: each is an app that runs a shell script and leaves its answer in a volume."""
import os

CAPS = ("chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
        "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin "
        "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override "
        "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore").split()
SHOW_CAPS = "grep CapBnd /proc/self/status"


def caps(text):
    """The names in a line CapBnd: of /proc/PID/status."""
    value = int(next(li for li in text.splitlines() if li.startswith("CapBnd")).split()[1], 16)
    return {name for bit, name in enumerate(CAPS) if value >> bit & 1}


def isolators(**kw):
    """An app's list of isolators; os_linux_x="v" is os/linux/x."""
    prefixes = ("os_linux_", "os_unix_", "resource_")
    names = {k: next((k.replace("_", "/", p.count("_")) for p in prefixes if k.startswith(p)), k) for k in kw}
    return [{"name": n.replace("_", "-"), "value": kw[k]} for k, n in names.items()]


class Many:
    """rkt run of many apps; ask() returns what each printed."""

    def __init__(self, host, images, tmp):
        self.host, self.images, self.tmp = host, images, tmp
        os.chmod(tmp, 0o777)

    def image(self, **kw):
        """A busybox image with these isolators."""
        return self.images.make(app={"exec": ["/bin/sh"], "isolators": isolators(**kw)})

    def words(self, questions):
        """The words of rkt run for {name: (script, image, flag...)}."""
        out = []
        for name, (script, image, *flags) in questions.items():
            out += [image, f"--name={name}", "--exec=/bin/sh", *flags, "--", "-c", f"( {script} ) > /out/{name} 2>&1; exit 0", "---"]
        return out

    def ask(self, questions, *flags, insecure="image", verb=("run", "--net=host"), check=True):
        """Run them all in one pod."""
        for name in questions:
            (self.tmp / name).unlink(missing_ok=True)
        done = self.host.rkt(f"--insecure-options={insecure}", *verb, f"--volume=out,kind=host,source={self.tmp}",
                             "--mount=volume=out,target=/out", *flags, *self.words(questions), check=check)
        if verb[0] == "prepare":
            self.host.rkt("run-prepared", "--net=host", done.out.strip(), check=check)
        return {name: (self.tmp / name).read_text() if (self.tmp / name).exists() else "" for name in questions}

    def one(self, script, *flags, image=None, **kw):
        """One question."""
        return self.ask({"main": (script, image or self.images.busybox, *flags)}, **kw)["main"]
