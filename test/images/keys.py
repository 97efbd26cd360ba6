# SPDX-License-Identifier: LGPL-2.1-or-later
"""OpenPGP keys that sign images, and an X.509 authority for the server; each made once per directory."""
import os
import subprocess


class SigningKey:
    """A key pair in a GnuPG home of its own."""

    def __init__(self, directory, who, algorithm="rsa2048"):
        self.home = os.path.join(directory, f"gnupg-{who}")
        self.public = os.path.join(directory, f"{who}.asc")
        if not os.path.exists(self.public):
            os.makedirs(self.home, mode=0o700, exist_ok=True)
            self._gpg("--passphrase", "", "--quick-gen-key", f"{who} (test key) <{who}@example.com>", algorithm, "sign",
                      "never")
            self._write_public()

    def _write_public(self):
        exported = self._gpg("--armor", "--export").stdout
        with open(self.public + ".new", "wb") as f:
            f.write(exported)
        os.rename(self.public + ".new", self.public)
        self._end_agent()

    def _gpg(self, *args):
        return subprocess.run(["gpg", "--homedir", self.home, "--batch", "--quiet", "--yes", *args], check=True,
                              capture_output=True)

    def _end_agent(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False, capture_output=True)

    @property
    def fingerprint(self):
        """Forty hex digits, small letters: what rkt names a trusted key's file by."""
        listing = self._gpg("--with-colons", "--list-keys").stdout.decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")).lower()

    def exported(self):
        """The public key without armour."""
        return self._gpg("--export").stdout

    def secret(self):
        """The secret key, armoured."""
        secret = self._gpg("--armor", "--passphrase", "", "--pinentry-mode", "loopback", "--export-secret-keys").stdout
        self._end_agent()
        return secret

    def rename(self, user):
        """Make `user` the only user ID."""
        old = next(li.split(":")[9] for li in self._gpg("--with-colons", "--list-keys").stdout.decode().splitlines()
                   if li.startswith("uid:"))
        self._gpg("--allow-freeform-uid", "--passphrase", "", "--pinentry-mode", "loopback", "--quick-add-uid", self.fingerprint, user)
        self._gpg("--quick-revoke-uid", self.fingerprint, old)
        self._write_public()

    def sign(self, path, output=None):
        """Write a detached, armoured signature; returns its path (default: PATH.asc)."""
        output = output or path + ".asc"
        self._gpg("--armor", "--detach-sign", "--output", output, path)
        self._end_agent()
        return output


class Authority:
    """A certificate authority that this host can be made to believe."""

    def __init__(self, directory, name="rkt test authority"):
        self.directory = directory
        self.name = name
        self.cert = os.path.join(directory, "ca.pem")
        self.key = os.path.join(directory, "ca.key")
        if not os.path.exists(self.cert):
            os.makedirs(directory, exist_ok=True)
            self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                          "-days", "3650", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert,
                          "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")

    @staticmethod
    def _openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def issue(self, filename, hosts, days=3650):
        """A certificate and key for `hosts`, in one PEM file; returns its path."""
        pem = os.path.join(self.directory, filename)
        if os.path.exists(pem):
            return pem
        request, extensions = pem + ".csr", pem + ".ext"
        with open(extensions, "w") as f:
            f.write("subjectAltName=" + ",".join(f"DNS:{h}" for h in hosts) + "\nbasicConstraints=CA:FALSE\n")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-subj", f"/CN={hosts[0]}", "-keyout", pem + ".key", "-out", request)
        validity = ["-days", str(days)]
        if days < 0:
            # OpenSSL 3.4 and later wants dates in order; earlier ones cannot be told dates.
            usage = subprocess.run(["openssl", "x509", "-help"], check=False, capture_output=True, text=True).stderr
            if "-not_after" in usage:
                validity = ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]
        self._openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                      *validity, "-extfile", extensions, "-out", pem + ".crt")
        with open(pem + ".new", "w") as out:
            for part in (pem + ".crt", pem + ".key"):
                with open(part) as f:
                    out.write(f.read())
        os.rename(pem + ".new", pem)
        return pem

    def trust(self):
        """Put the authority into this host's system store."""
        target = "/usr/local/share/ca-certificates/rkt-test.crt"
        with open(self.cert) as f:
            text = f.read()
        if os.path.exists(target):
            with open(target) as f:
                if f.read() == text:
                    return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w") as f:
            f.write(text)
        subprocess.run(["update-ca-certificates"], check=True, capture_output=True)
