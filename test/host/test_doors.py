# SPDX-License-Identifier: LGPL-2.1-or-later
"""The five doors into an app: its main process, ExecStartPre=, ExecStopPost=, rkt enter, machinectl shell. The sandbox is one."""
import pytest

from conftest import ISOLATED, app_section

# each line is one property; /proc/self is the shell's or that of what it starts
SCRIPT = """
echo ids $(id -u) $(id -g) $(id -G)
grep -E '^(Uid|Gid|Groups|Cap[A-Z][a-z]+|NoNewPrivs|Seccomp|Seccomp_filters):' /proc/self/status
echo root $(ls -di / | cut -d' ' -f1) $(ls / | sort | tr '\\n' ' ')
for n in ipc net pid user; do echo ns $(readlink /proc/self/ns/$n); done
echo oom $(cat /proc/self/oom_score_adj)
echo limits $(cat /proc/self/limits | grep -E 'open files|processes|core|locked')
echo umask $(umask)
echo cwd $(pwd)
echo slice $(sed 's,/[^/]*$,,' /proc/self/cgroup)
echo dev $(ls /dev | grep -v '^log$' | sort | tr '\\n' ' ')
echo environment $(echo $PATH $HOME $USER $LOGNAME $SHELL $container $AC_APP_NAME $MINE)
for f in /proc/sys/kernel/hostname /proc/kcore /proc/sysrq-trigger /sys/kernel/profiling /dev/mem /dev/kmsg; do
        [ -e $f ] || continue
        (: 2>/dev/null < $f && echo $f readable) 2>/dev/null || echo $f not readable
        (: 2>/dev/null >> $f && echo $f writable) 2>/dev/null || echo $f not writable
done
cat /proc/self/mountinfo | cut -d' ' -f5,6 | grep -E '^/(proc|sys|dev)' | sort -u
mount -t tmpfs none /tmp 2>/dev/null && echo mounted
unshare -U true 2>/dev/null && echo unshared
true
"""


@pytest.mark.parametrize("keys", ["", "User=1000\nGroup=100\nSupplementaryGroups=7 8\nReadOnly=yes\nLimitNOFILE=512\nUMask=027\n"
                                  "OOMScoreAdjust=300\nCapabilityBoundingSet=CAP_CHOWN\nWorkingDirectory=/usr\n"], ids=["defaults", "keys"])
def test_five_doors(host, pods, images, tmp_path, keys):
    """C rows of CVE-2019-10144, -10145, -10147, CVE-2022-27649, CVE-2018-10856, CVE-2022-36109: whoever comes in, by whichever door, has
    the same user, groups, capabilities, no_new_privs, filter, root, masked paths, slice, namespaces, OOM score, limits, umask, devices and
    environment."""
    tmp_path.chmod(0o777)
    (tmp_path / "look").write_text(SCRIPT)
    look = "sh /out/look > /out/{0}.new 2>/out/{0}.err; mv /out/{0}.new /out/{0}"
    name = pods.write("doors", ISOLATED + app_section(
        "main", images.busybox, look.format("main") + "; exec sleep infinity",
        f"Volume={tmp_path}:/out\nEnvironment=MINE=yes\n{keys}"
        f'ExecStartPre=/bin/sh -c "{look.format("start-pre")}"\nExecStopPost=/bin/sh -c "{look.format("stop-post")}"\n'))
    pods.start(name)
    host.wait_for("main", (tmp_path / "main").exists)
    host.rkt("enter", name, "/bin/sh", "-c", look.format("enter"))
    pods.shell_in(f"main@{name}", "/bin/sh", "-c", look.format("machinectl"))
    pods.stop(name)
    main = (tmp_path / "main").read_text().splitlines()
    assert "environment" in "\n".join(main) and len(main) > 40
    for door in ("start-pre", "stop-post", "enter", "machinectl"):
        lines = (tmp_path / door).read_text().splitlines()
        assert [li for li in lines if li not in main] == [] and [li for li in main if li not in lines] == [], door
    assert "mounted" not in main and "unshared" not in main and "CapInh:\t0000000000000000" in main
