#!/bin/sh
# Run by mmdebstrap before MariaDB is unpacked; argument: the root. The official image's user.
set -eu

echo 'mysql:x:999:999:MySQL Server:/var/lib/mysql:/usr/sbin/nologin' >>"$1/etc/passwd"
echo 'mysql:x:999:' >>"$1/etc/group"
