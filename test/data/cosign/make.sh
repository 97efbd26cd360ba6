#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the keys and signatures of this folder by openssl. The private keys are thrown away, so a new run gives new files.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT

digest=sha256:$(printf manifest | sha256sum | cut -d' ' -f1)
reference=registry.example.com/team/app
printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":{"timestamp":1795317166}}' \
        "$reference" "$digest" > payload
printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}' \
        "${digest#sha256:}" > statement
type=application/vnd.in-toto+json
{ printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c < statement)"; cat statement; } > "$keys/pae"

bundle() { # KEY SIGNATURE
        hint=$(openssl pkey -pubin -in "$1.pub" -outform DER | openssl dgst -sha256 -binary | base64 -w0)
        printf '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"%s"},"tlogEntries":[]},"dsseEnvelope":{"payload":"%s","payloadType":"%s","signatures":[{"sig":"%s"}]}}' \
                "$hint" "$(base64 -w0 < statement)" "$type" "$2" > "$1.bundle"
}

sign() { # KEY FILE [OPTION...]
        key=$1 file=$2
        shift 2
        case $key in
        ed25519) openssl pkeyutl -sign -rawin -inkey "$keys/$key" -in "$file" ;;
        *) openssl dgst "${hash:--sha256}" -sign "$keys/$key" "$@" "$file" ;;
        esac | base64 -w0
}

for key in p256 p384 p521 k256 ed25519 rsa2048 rsa1024 dsa; do
        case $key in
        p256) openssl ecparam -name prime256v1 -genkey -noout ;;
        p384) openssl ecparam -name secp384r1 -genkey -noout ;;
        p521) openssl ecparam -name secp521r1 -genkey -noout ;;
        k256) openssl ecparam -name secp256k1 -genkey -noout ;;
        ed25519) openssl genpkey -algorithm ed25519 ;;
        rsa*) openssl genrsa "${key#rsa}" ;;
        dsa) openssl dsaparam -genkey -noout 2048 ;;
        esac > "$keys/$key" 2>/dev/null
        openssl pkey -in "$keys/$key" -pubout > "$key.pub"
        case $key in
        p256 | p384 | ed25519 | rsa2048)
                sign "$key" payload > "$key.sig"
                bundle "$key" "$(sign "$key" "$keys/pae")"
                ;;
        rsa1024) sign "$key" payload > "$key.sig" ;;
        esac
done
hash=-sha384 sign p384 payload > p384-sha384.sig
sign rsa2048 payload -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest > rsa2048-pss.sig
hash=-sha1 sign p256 payload > p256-sha1.sig
hash=-sha1 sign rsa2048 payload > rsa2048-sha1.sig

# Simple signing, by gpg: a message that contains what it signs.
GNUPGHOME=$keys/gnupg
export GNUPGHOME
mkdir -m 700 "$GNUPGHOME"
for who in carol dave; do
        gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key "$who <$who@example.com>" ed25519 sign never
done
gpg --batch --armor --export carol > carol.asc
printf '{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":"%s"},"identity":{"docker-reference":"%s:1"}},"optional":{"creator":"test","timestamp":1795317166}}' \
        "$digest" "$reference" > "$keys/simple"
gpg --batch --quiet --local-user carol --sign -o - "$keys/simple" > carol.message
gpg --batch --quiet --local-user dave --sign -o - "$keys/simple" > dave.message
gpg --batch --quiet --local-user carol --local-user dave --sign -o - "$keys/simple" > two.message
gpg --batch --quiet --local-user carol --clear-sign -o - "$keys/simple" > clear.message
gpg --batch --quiet --local-user carol --detach-sign -o - "$keys/simple" > detached.message
gpg --batch --quiet --local-user carol --digest-algo SHA1 --sign -o - "$keys/simple" > sha1.message
gpg --batch --quiet --local-user carol --compress-algo none --sign -o - "$keys/simple" > "$keys/plain"
cat "$keys/plain" "$keys/plain" > twice.message
gpg --batch --quiet --local-user carol --sign -o - payload > cosign.message
gpgconf --kill all
