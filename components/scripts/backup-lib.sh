#!/usr/bin/env bash
# What backup.sh and restore.sh share: clients, the throw-away server, measuring tables, the list of
# proven backups.
#
# Sourced by both; image mariadb, uid/gid 999 (backup) or 33 (restore). Volumes and environment are
# theirs: /backup, /tmp, /run/secrets/mariadb, HOSTNAME, DATABASE_NAME.

root=/backup
work=$root/.work/${HOSTNAME:?}
client=$(mktemp /tmp/client.XXXXXX.cnf)
throwaway_pid=""
dump_options=(
  --single-transaction --quick --skip-lock-tables --order-by-primary --skip-dump-date
  --routines --triggers --events --default-character-set=utf8mb4
  --max-allowed-packet=1G --net-buffer-length=1M
)

say() { printf 'backup: %s\n' "$*"; }
fail() { printf 'backup: ERROR: %s\n' "$*" >&2; exit 1; }
milliseconds() { date +%s%3N; }
free_bytes() { df --output=avail --block-size=1 "$1" | tail -n 1; }
volume_json() {
  printf '{"volume": {"bytes": %s, "free": %s}}\n' \
    "$(df --output=size --block-size=1 "$root" | tail -n 1)" "$(free_bytes "$root")"
}
# An unknown version is neither: an empty one would sort before all others.
newer_or_same() {
  [ -n "$1" ] && [ -n "$2" ] &&
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort --version-sort | head -n 1)" = "$2" ]
}

# The password is in a file that this user alone may read, never in argv or the environment.
write_client_options() {
  local user password
  user=$(</run/secrets/mariadb/mariadb-username)
  password=$(</run/secrets/mariadb/mariadb-password)
  password=${password//\\/\\\\}
  (
    umask 077
    printf '[client]\nhost="%s"\nport=%s\nuser="%s"\npassword="%s"\n' \
      "$1" "$2" "$user" "${password//\"/\\\"}" >"$client"
  )
}

live() {
  mariadb --defaults-extra-file="$client" --batch --skip-column-names --raw \
    --connect-timeout=10 "$DATABASE_NAME" --execute="$1"
}
# The tables of a site, asked of `live` or of `throwaway`.
tables_of() {
  "$1" "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()
    AND table_type = 'BASE TABLE' AND table_name <> 'fleet_restore_in_progress' ORDER BY 1"
}

throwaway_client() {
  mariadb --no-defaults --skip-ssl --protocol=socket --socket="$work/server/socket" --user=root \
    --batch --skip-column-names --raw --max-allowed-packet=1G "$@"
}
throwaway() { throwaway_client "$DATABASE_NAME" --execute="$1"; }
throwaway_dump() {
  mariadb-dump --no-defaults --skip-ssl --protocol=socket --socket="$work/server/socket" \
    --user=root "${dump_options[@]}" "$1"
}

# A server in this pod, reached by a socket alone. Its buffers are small: the pod has 256Mi, the
# database may have gigabytes. What makes a server durable is off; it lives for minutes.
start_throwaway() {
  local dir=$work/server options
  mkdir -p "$dir/data" "$dir/tmp"
  options=(
    --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp"
    --innodb-buffer-pool-size=64M --innodb-log-file-size=64M --innodb-log-buffer-size=2M
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF --innodb-sort-buffer-size=256K
    --key-buffer-size=1M --aria-pagecache-buffer-size=4M --aria-sort-buffer-size=1M
    --myisam-sort-buffer-size=1M --performance-schema=OFF --loose-query-cache-size=0
    --table-open-cache=100 --table-definition-cache=400 --max-connections=5 --skip-log-bin
    --max-allowed-packet=1G --tmp-table-size=1M --max-heap-table-size=1M
    --character-set-server=utf8mb4 --innodb-strict-mode=OFF
  )
  mariadb-install-db "${options[@]}" --auth-root-authentication-method=normal \
    --skip-test-db >"$dir/install.log" 2>&1 ||
    fail "the throw-away server cannot be made: $(tail -n 3 "$dir/install.log" | tr '\n' ' ')"
  mariadbd "${options[@]}" --skip-networking --socket="$dir/socket" \
    --pid-file="$dir/pid" >"$dir/server.log" 2>&1 9>&- &
  throwaway_pid=$!
  until throwaway_client --execute='DO 1' 2>/dev/null; do
    kill -0 "$throwaway_pid" 2>/dev/null ||
      fail "the throw-away server ended: $(tail -n 3 "$dir/server.log" | tr '\n' ' ')"
    sleep 0.2
  done
  throwaway_client --execute="CREATE DATABASE \`$DATABASE_NAME\`"
}
stop_throwaway() {
  [ -n "$throwaway_pid" ] || return 0
  # Its data is about to be deleted: nothing to flush.
  kill -KILL "$throwaway_pid" 2>/dev/null || true
  wait "$throwaway_pid" 2>/dev/null || true
  throwaway_pid=""
}

# A dump without the comments that name its server.
plain_dump() { LC_ALL=C grep --text --invert-match '^--'; }

# Process substitutions end a moment after the pipe that feeds them.
wait_for_file() {
  local deadline=$((SECONDS + 30))
  until [ -s "$1" ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "no checksum of the dump within 30 s"
    sleep 0.1
  done
}

# Prints "table rows checksum" for each table of a list, asked of `live` or of `throwaway`.
measure() {
  local table counted
  while IFS= read -r table; do
    counted=$("$1" "SELECT COUNT(*) FROM \`$table\`; CHECKSUM TABLE \`$table\`" 9>&-) || return 1
    printf '%s\t%s\t%s\n' "$table" "${counted%%$'\n'*}" "${counted##*$'\t'}"
  done <"$2"
}

# Prints "table time" of the last change for each table of the live site.
last_changes() {
  live "SELECT table_name, COALESCE(update_time, '') FROM information_schema.tables
    WHERE table_schema = DATABASE()"
}

# A restored table equals the live one, unless visits came in meanwhile: then the live one has to
# show that it really changed between two looks. Equal to what it was is not enough: an archive run
# fills a table and empties it again.
#
# Arguments: the live site's tables and their last changes before the dump, and what was restored.
compare_tables() {
  local table rows sum before now tables
  last_changes >"$work/changes.now" || fail "the tables' last changes cannot be read"
  while IFS=$'\t' read -r table rows sum; do
    before=$(line_of "$table" "$1")
    [ "$before" = "$rows"$'\t'"$sum" ] && continue
    printf '%s\n' "$table" >"$work/one"
    if ! now=$(measure live "$work/one"); then
      tables=$(tables_of live) || fail "the list of tables cannot be read"
      ! grep -qxF -e "$table" <<<"$tables" || fail "table $table cannot be read a second time"
    fi
    if [ "$now" = "$table"$'\t'"$before" ] &&
      [ "$(line_of "$table" "$2")" = "$(line_of "$table" "$work/changes.now")" ]; then
      fail "table $table was restored with $rows rows (checksum $sum), the unchanged live table has" \
        "${before//$'\t'/ rows, checksum }"
    fi
    say "table $table changed while it was dumped"
  done <"$3"
}
# What a file's line says of a table.
line_of() { awk -F'\t' -v t="$1" '$1 == t { print substr($0, length(t) + 2) }' "$2"; }

# Oldest first, by name. What an older chart left here has other names and is not touched.
proven_backups() {
  local dir
  for dir in "$root"/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z; do
    [ -f "$dir/manifest.json" ] && grep -q '"proven": true' "$dir/manifest.json" && basename "$dir"
  done
  return 0
}
