#!/bin/sh
# Run by mmdebstrap when all is unpacked; argument: the root. As in the official image the server
# listens on every address, no database is there yet, and data and socket folders are the user's.
set -eu

sed -i '/^bind-address/d' "$1/etc/mysql/mariadb.conf.d/50-server.cnf"
rm -rf "$1"/var/lib/mysql/* "$1"/var/lib/mysql-files
mkdir -p "$1/docker-entrypoint-initdb.d" "$1/run/mysqld"
chroot "$1" chown mysql:mysql /var/lib/mysql /run/mysqld
