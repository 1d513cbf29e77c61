#!/bin/sh
# SoftHSM 2 and OpenSC's pkcs11-tool, for the tests of keys in hardware.
set -eu
if command -v softhsm2-util >/dev/null && command -v pkcs11-tool >/dev/null; then
    exit 0
fi
if command -v apt-get >/dev/null; then
    apt-get install --yes --no-install-recommends softhsm2 opensc
elif command -v brew >/dev/null; then
    brew install softhsm opensc
else
    echo "install SoftHSM 2 and OpenSC by hand" >&2
    exit 1
fi
