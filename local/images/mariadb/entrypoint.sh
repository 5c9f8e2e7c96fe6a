#!/bin/bash
# Entrypoint of the stand-in of the MariaDB image, with the official one's contract: settings as
# NAME or NAME_FILE, a data folder without a database gets one, a newer server upgrades the system
# tables when MARIADB_AUTO_UPGRADE is set, and what is in /docker-entrypoint-initdb.d is run when the
# accounts are made. Also like it, a data folder that has a database is never initialised again, even
# when its initialisation was cut short.
#
# Env: MARIADB_ROOT_PASSWORD[_FILE], MARIADB_DATABASE[_FILE], MARIADB_USER[_FILE],
#      MARIADB_PASSWORD[_FILE], MARIADB_AUTO_UPGRADE
set -eo pipefail

data=/var/lib/mysql
socket=/run/mysqld/mysqld.sock

note() { printf '[Entrypoint]: %s\n' "$*"; }
fail() {
  printf '[ERROR] [Entrypoint]: %s\n' "$*" >&2
  exit 1
}

# The value of a setting, from its file if one is named.
setting() {
  local file=${1}_FILE
  if [ -n "${!1}" ] && [ -n "${!file}" ]; then
    fail "Both $1 and $file are set (but are exclusive)"
  fi
  if [ -n "${!file}" ]; then
    cat "${!file}"
  else
    printf '%s' "${!1}"
  fi
}
quoted() {
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\\\'}"
}

start_private_server() {
  mariadbd --skip-networking --socket="$socket" --wsrep-on=OFF --expire-logs-days=0 \
    --loose-innodb-buffer-pool-load-at-startup=0 &
  server=$!
  until mariadb-admin --no-defaults --socket="$socket" --user=root ping >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || fail "Unable to start server."
    sleep 0.2
  done
}
stop_private_server() {
  kill "$server"
  wait "$server"
}

initialize() {
  local root_password database user password
  root_password=$(setting MARIADB_ROOT_PASSWORD)
  database=$(setting MARIADB_DATABASE)
  user=$(setting MARIADB_USER)
  password=$(setting MARIADB_PASSWORD)
  [ -n "$root_password" ] ||
    fail "Database is uninitialized and password option is not specified"
  note "Initializing database files"
  mariadb-install-db --datadir="$data" --rpm --auth-root-authentication-method=normal \
    --skip-test-db --old-mode='UTF8_IS_UTF8MB3' --default-time-zone=SYSTEM >/dev/null
  note "Starting temporary server"
  start_private_server
  {
    # Accounts as the official image leaves them: root from anywhere, the user for its database.
    echo "SET @@SESSION.SQL_LOG_BIN=0;"
    echo "CREATE USER root@'%' IDENTIFIED BY $(quoted "$root_password");"
    echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    echo "SET PASSWORD FOR root@localhost = PASSWORD($(quoted "$root_password"));"
    [ -z "$database" ] || echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    if [ -n "$user" ] && [ -n "$password" ]; then
      echo "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$password");"
      [ -z "$database" ] ||
        echo "GRANT ALL ON \`${database//_/\\_}\`.* TO $(quoted "$user")@'%';"
    fi
  } | mariadb --no-defaults --socket="$socket" --user=root
  local script
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ ! -x "$script" ] || "$script"
  done
  stop_private_server
  note "MariaDB init process done. Ready for start up."
}

# Whether this version's upgrade has been there; where nobody wrote down which was, it has not. The
# file's name is a newer one since 11.0.
upgraded() {
  local own info
  own=$(mariadbd --version | sed 's/.*Ver \([0-9]*\.[0-9]*\).*/\1/')
  for info in "$data"/mariadb_upgrade_info "$data"/mysql_upgrade_info; do
    [ ! -f "$info" ] || [ "$(cut -d . -f 1,2 <"$info")" != "$own" ] || return 0
  done
  return 1
}

# Needs root's password only while the server runs with its grant tables.
upgrade() {
  local options
  options=$(mktemp)
  printf '[client]\nuser=root\npassword="%s"\nsocket=%s\n' \
    "$(setting MARIADB_ROOT_PASSWORD)" "$socket" >"$options"
  mariadbd --skip-networking --skip-grant-tables --socket="$socket" --wsrep-on=OFF &
  server=$!
  until mariadb-admin --no-defaults --socket="$socket" ping >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || fail "Unable to start server."
    sleep 0.2
  done
  note "Starting mariadb-upgrade"
  mariadb-upgrade --defaults-file="$options" --upgrade-system-tables >/dev/null ||
    fail "mariadb-upgrade failed"
  rm -f "$options"
  stop_private_server
}

if [ "${1:0:1}" = - ]; then
  set -- mariadbd "$@"
fi
if [ "$1" = mariadbd ]; then
  if [ "$(id -u)" = 0 ]; then
    chown mysql:mysql "$data" /run/mysqld
    exec setpriv --reuid=mysql --regid=mysql --clear-groups "$0" "$@"
  fi
  if [ ! -d "$data/mysql" ]; then
    initialize
  elif [ -n "$MARIADB_AUTO_UPGRADE" ] && ! upgraded; then
    upgrade
  fi
fi
exec "$@"
