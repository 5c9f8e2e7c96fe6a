#!/usr/bin/env bash
# Notes that the first start is whole: the image's entrypoint runs this once it has made the database
# and its accounts (see database-start.sh).
#
# Run by:  docker-entrypoint.sh of image mariadb (uid/gid 999), from /docker-entrypoint-initdb.d
# Volumes: /var/lib/mysql
set -euo pipefail

data=/var/lib/mysql
# The accounts first: a mark that is gone must not outlive them.
sync --file-system "$data"
rm -f "$data/.first-start-unfinished"
sync "$data"
