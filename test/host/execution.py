# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands as cluster drivers run them: with pipes or on a terminal of theirs, several at once."""
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading

PAGER = {"TERM": "xterm", "SYSTEMD_PAGER": "sed s/^/>/", "SYSTEMD_PAGERSECURE": "0"}  # shows that it was there


class Execution:
    """A child with pipes, or with a terminal that is its controlling one: input is there at once, and the terminal's size is set
    twice, behind its back."""

    def __init__(self, words, tty=False, stdin="", env=None):
        self.words, self.stdin, self.env = [str(w) for w in words], stdin, {**os.environ, **(env or {})}
        self.out, self.err, self.rc = "", "", None
        self.thread = threading.Thread(target=self.on_terminal if tty else self.on_pipes, daemon=True)
        self.thread.start()

    def on_pipes(self):
        """Until nobody has the output open, which is what Go's Wait() does."""
        done = subprocess.run(self.words, input=self.stdin, capture_output=True, text=True, check=False, timeout=100, env=self.env)
        self.rc, self.out, self.err = done.returncode, done.stdout, done.stderr

    def on_terminal(self):
        """Until the process ends."""
        master, slave = pty.openpty()
        process = subprocess.Popen(self.words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=self.env,
                                   preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY))
        for rows, columns in ((50, 40), (100, 100)):
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.close(slave)
        os.write(master, self.stdin.encode())
        data = b""
        try:
            while more := os.read(master, 4096):
                data += more
        except OSError:  # nobody has the other end any more
            pass
        os.close(master)
        self.rc, self.out = process.wait(timeout=100), data.decode()

    def done(self):
        """Exit status, output, errors."""
        self.thread.join(timeout=120)
        return self.rc, self.out, self.err
