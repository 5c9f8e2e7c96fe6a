#!/usr/bin/env bash
# What backup.sh and restore.sh share: clients, how a dump is taken in, the throw-away server, measuring
# tables, the list of proven backups.
#
# Sourced by both; image mariadb, uid/gid 999 (backup) or 33 (restore). Volumes and environment are
# theirs: /backup, /tmp, /run/secrets/mariadb, HOSTNAME, DATABASE_NAME.

root=/backup
work=$root/.work/${HOSTNAME:?}
client=$(mktemp /tmp/client.XXXXXX.cnf)
# The same for the throw-away server, as the site's user.
proof_client=$(mktemp /tmp/proof.XXXXXX.cnf)
throwaway_pid=""
# Stands while a restore is under way; it holds the backup whose tables take the place of what was there.
marker=fleet_restore_in_progress
# Tables that are loaded beside those of the site are called so, and numbered: a name may be as long as the
# server takes one.
beside=fleet_new_
is_beside="table_name REGEXP '^${beside}[0-9]+\$'"
dump_options=(
  --single-transaction --quick --skip-lock-tables --order-by-primary --skip-dump-date
  --default-character-set=utf8mb4 --max-allowed-packet=1G --net-buffer-length=1M
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
    printf '[client]\nhost="%s"\nport=%s\nuser="%s"\npassword="%s"\ndefault-character-set=utf8mb4\n' \
      "$1" "$2" "$user" "${password//\"/\\\"}" >"$client"
  )
}

# Runs a statement, or standard input, as the site's user of the server that an option file names.
as_site() {
  local options=$1
  shift
  mariadb --defaults-extra-file="$options" --batch --skip-column-names --raw \
    --connect-timeout=10 "$@" "$DATABASE_NAME"
}
live() { as_site "$client" --execute="$1"; }
proof() { as_site "$proof_client" --execute="$1"; }

# The tables of a site, asked of `live` or of `proof`. Sequences have one row, and of a table that keeps its
# own history a dump has the present: neither has a checksum that stays.
tables_of() {
  "$1" "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()
    AND table_type = 'BASE TABLE' AND table_name <> '$marker' AND NOT $is_beside ORDER BY 1"
}
# All that has a definition and no rows, as "kind<tab>name". One that its user may not read is there, too.
definitions_of() {
  "$1" "SELECT 'view', table_name FROM information_schema.views WHERE table_schema = DATABASE()
    UNION SELECT 'trigger', trigger_name FROM information_schema.triggers
      WHERE trigger_schema = DATABASE()
    UNION SELECT LOWER(routine_type), routine_name FROM information_schema.routines
      WHERE routine_schema = DATABASE()
    UNION SELECT 'event', event_name FROM information_schema.events WHERE event_schema = DATABASE()
    ORDER BY 1, 2"
}
quoted_name() { printf "\`%s\`" "${1//\`/\`\`}"; }

# Stands in a dump between tables and definitions; those of an older program have none.
separator='-- fleet: definitions'
# Reads a dump (standard input) and prints its tables, under their numbers beside the site.
#
# Arguments: a file with a name a line, whose line's number a table gets, and which gets the names that it
# does not have; and the file for the definitions.
read_dump() { perl /opt/matomo/scripts/read-dump.pl "$separator" "$beside" "$1" "$2"; }
# What two dumps of the same tables have in common.
plain_tables() { perl /opt/matomo/scripts/read-dump.pl "$separator"; }

# What is loaded beside the site's own: all of it, or "BASE TABLE" alone.
beside_of() {
  "$1" "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND $is_beside
    AND table_type LIKE '${2:-%}'"
}
# Runs the statements of standard input; what refers to a table does not keep it.
alter() { as_site "$1" --init-command='SET SESSION foreign_key_checks = OFF'; }
drop_beside() {
  local loaded
  loaded=$(beside_of "$2") || return 1
  [ -z "$loaded" ] || printf 'DROP TABLE %s;\n' "${loaded//$'\n'/, }" | alter "$1"
}

# Takes a dump (standard input: its plain text) in beside what is there, and prints "table rows checksum"
# for each table. Nothing that is there is touched.
#
# Arguments: the option file, `live` or `proof`, and those of `read_dump`.
load_beside() {
  local options=$1 ask=$2 names=$3 loaded table number=0
  drop_beside "$options" "$ask" || return 1
  # A table that is wider than the strict limit was made when that was not so strict.
  read_dump "$names" "$4" |
    as_site "$options" --max-allowed-packet=1G --init-command='SET SESSION innodb_strict_mode = OFF' ||
    return 1
  loaded=$(beside_of "$ask" 'BASE TABLE') || return 1
  while IFS= read -r table; do
    number=$((number + 1))
    grep -qxF "$beside$number" <<<"$loaded" || continue
    measure_one "$ask" "$table" "$beside$number" || return 1
  done <"$names"
}

# Puts the tables that were loaded beside in their place, and then what has a definition. Whatever else is
# there goes, but what the backup left out. Killed anywhere and run again, it ends the same. What the site's
# user may not define is left out; the server's words about it are on standard error.
#
# Arguments: those of `load_beside`, and a file with "kind name" of what was left out.
take_place() {
  local options=$1 ask=$2 names=$3 loaded kind name number=0 renames=""
  definitions_of "$ask" | while IFS=$'\t' read -r kind name; do
    # A trigger goes with its table.
    [ "$kind" = trigger ] || grep -qxF -e "$kind $name" "$5" ||
      printf 'DROP %s IF EXISTS %s;\n' "${kind^^}" "$(quoted_name "$name")"
  done | as_site "$options" --force || true
  loaded=$(beside_of "$ask") || return 1
  # No table of a later date survives between the restored ones.
  "$ask" "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()
    AND table_type <> 'VIEW' AND table_name <> '$marker' AND NOT $is_beside" |
    LC_ALL=C sort | LC_ALL=C comm -23 - <(LC_ALL=C sort "$names") >"$names.goes" || return 1
  while IFS= read -r name; do
    number=$((number + 1))
    grep -qxF "$beside$number" <<<"$loaded" || continue
    printf '%s\n' "$name" >>"$names.goes"
    renames+="RENAME TABLE \`$beside$number\` TO $(quoted_name "$name");"$'\n'
  done <"$names"
  {
    while IFS= read -r name; do
      printf 'DROP TABLE IF EXISTS %s;\n' "$(quoted_name "$name")"
    done <"$names.goes"
    printf '%s' "$renames"
  } | alter "$options" || return 1
  as_site "$options" --force <"$4" || true
}

throwaway_client() {
  mariadb --no-defaults --skip-ssl --protocol=socket --socket="$work/server/socket" --user=root \
    --default-character-set=utf8mb4 --batch --skip-column-names --raw --max-allowed-packet=1G "$@"
}
# Options of mariadb-dump for what is no table of the site, one a line.
no_tables() {
  "$1" "SELECT CONCAT('--ignore-table=', table_schema, '.', table_name) FROM information_schema.tables
    WHERE table_schema = DATABASE() AND (table_type = 'VIEW' OR $is_beside)"
}
throwaway_dump() {
  local ignored
  ignored=$(no_tables proof) || return 1
  mapfile -t ignored < <(printf '%s' "$ignored")
  mariadb-dump --no-defaults --skip-ssl --protocol=socket --socket="$work/server/socket" \
    --user=root "${dump_options[@]}" --skip-triggers "${ignored[@]}" "$DATABASE_NAME"
}

# What decides whether a dump loads, as far as a server knows it; the throw-away server has it as the live
# one has.
GOVERNING="'sql_mode', 'old_mode', 'innodb_strict_mode', 'innodb_default_row_format', 'innodb_page_size',
  'innodb_force_primary_key', 'innodb_read_only_compressed', 'enforce_storage_engine',
  'check_constraint_checks', 'max_allowed_packet', 'character_set_server', 'collation_server',
  'character_set_collations', 'lower_case_table_names', 'explicit_defaults_for_timestamp'"
governing_options() {
  live "SHOW GLOBAL VARIABLES WHERE variable_name IN ($GOVERNING)" |
    sed -nE 's/^([a-z_]+)\t(.+)$/--loose-\1=\2/p; s/^((sql|old)_mode)\t$/--\1=/p'
}

# A server in this pod, reached by a socket alone. Its buffers are small: the pod has 256Mi, the
# database may have gigabytes. What makes a server durable is off; it lives for minutes.
start_throwaway() {
  local dir=$work/server options governing basis account
  mkdir -p "$dir/data" "$dir/tmp"
  governing_options >"$work/governing" || fail "the live server's settings cannot be read"
  mapfile -t governing <"$work/governing"
  # What a folder of data is made for; the rest might keep the server's own tables from being made.
  mapfile -t basis < <(grep -E '^--loose-(innodb_page_size|lower_case_table_names)=' "$work/governing")
  options=(
    --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp"
    --innodb-buffer-pool-size=64M --innodb-log-file-size=64M --innodb-log-buffer-size=2M
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF --innodb-sort-buffer-size=256K
    --key-buffer-size=1M --aria-pagecache-buffer-size=4M --aria-sort-buffer-size=1M
    --myisam-sort-buffer-size=1M --performance-schema=OFF --loose-query-cache-size=0
    --table-open-cache=100 --table-definition-cache=400 --max-connections=5 --skip-log-bin
    --tmp-table-size=1M --max-heap-table-size=1M
  )
  mariadb-install-db "${options[@]}" "${basis[@]}" --auth-root-authentication-method=normal \
    --skip-test-db >"$dir/install.log" 2>&1 ||
    fail "the throw-away server cannot be made: $(tail -n 3 "$dir/install.log" | tr '\n' ' ')"
  mariadbd "${options[@]}" "${governing[@]}" --skip-networking --socket="$dir/socket" \
    --pid-file="$dir/pid" >"$dir/server.log" 2>&1 9>&- &
  throwaway_pid=$!
  until throwaway_client --execute='DO 1' 2>/dev/null; do
    kill -0 "$throwaway_pid" 2>/dev/null ||
      fail "the throw-away server ended: $(tail -n 3 "$dir/server.log" | tr '\n' ' ')"
    sleep 0.2
  done
  printf '[client]\nuser="%s"\nsocket="%s"\nprotocol=socket\nskip-ssl\ndefault-character-set=utf8mb4\n' \
    "$(</run/secrets/mariadb/mariadb-username)" "$dir/socket" >"$proof_client"
  # The site's user with its rights, and without its password: what loads for root need not load for it. An
  # account without a name would be taken for it.
  if ! account=$(live "SELECT CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@',
      QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))") ||
    ! live "SET SESSION sql_mode = ''; SHOW GRANTS" >"$work/grants" ||
    ! live "SET SESSION sql_mode = ''; SHOW CREATE DATABASE $(quoted_name "$DATABASE_NAME")" >"$work/database"; then
    fail "the rights of the site's user cannot be read"
  fi
  # shellcheck disable=SC2016 # SQL's quotes
  {
    echo "DROP USER IF EXISTS ''@localhost, ''@'$(uname -n)';"
    cut -f 2- "$work/database" | sed 's/$/;/'
    echo "CREATE USER $account;"
    sed -nE 's/^GRANT (`([^`]|``)+`) TO .*/CREATE ROLE IF NOT EXISTS \1;/p' "$work/grants"
    sed -E 's/^(GRANT .* TO `([^`]|``)*`@`([^`]|``)*`).*/\1/; s/$/;/' "$work/grants"
  } | throwaway_client --force || true
  proof 'DO 1' || fail "the site's user cannot log in to the throw-away server"
}
stop_throwaway() {
  [ -n "$throwaway_pid" ] || return 0
  # Its data is about to be deleted: nothing to flush.
  kill -KILL "$throwaway_pid" 2>/dev/null || true
  wait "$throwaway_pid" 2>/dev/null || true
  throwaway_pid=""
}

# Process substitutions end a moment after the pipe that feeds them.
wait_for_file() {
  local deadline=$((SECONDS + 30))
  until [ -s "$1" ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "no checksum of the dump within 30 s"
    sleep 0.1
  done
}

# Whether two lists say the same of the same tables; prints where they differ.
same_tables() { diff <(LC_ALL=C sort "$1") <(LC_ALL=C sort "$2") >&2; }

# Prints "table rows checksum" of a table, whatever it is called now; both numbers are of one moment.
measure_one() {
  local counted name
  name=$(quoted_name "${3:-$2}")
  counted=$("$1" "START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT COUNT(*) FROM $name;
    CHECKSUM TABLE $name" 9>&- </dev/null) || return 1
  printf '%s\t%s\t%s\n' "$2" "${counted%%$'\n'*}" "${counted##*$'\t'}"
}
# The same for each table of a list, asked of `live` or of `proof`.
measure() {
  local table
  while IFS= read -r table; do
    measure_one "$1" "$table" || return 1
  done <"$2"
}

# Prints "table time" of the last change for each table of the live site. The server counts in seconds:
# what changed a moment ago may change again within the same one, and is told as changed.
last_changes() {
  live "SELECT table_name, CONCAT(COALESCE(CAST(update_time AS CHAR), ''),
      IF(update_time > NOW() - INTERVAL 2 SECOND, CAST(UUID() AS CHAR), ''))
    FROM information_schema.tables WHERE table_schema = DATABASE()"
}

# A restored table equals the live one, unless visits came in meanwhile: then the live one has to
# show that it really changed between two looks. Equal to what it was is not enough: an archive run
# fills a table and empties it again, and a lock comes and goes.
#
# Arguments: the live site's tables and their last changes before the dump, and what was restored.
compare_tables() {
  local table rows sum before now tables
  last_changes >"$work/changes.now" || fail "the tables' last changes cannot be read"
  while IFS=$'\t' read -r table rows sum; do
    before=$(line_of "$table" "$1")
    [ "$before" = "$rows"$'\t'"$sum" ] && continue
    if ! now=$(measure_one live "$table"); then
      tables=$(tables_of live) || fail "the list of tables cannot be read"
      ! grep -qxF -e "$table" <<<"$tables" || fail "table $table cannot be read a second time"
    fi
    if [ "$now" = "$table"$'\t'"$before" ] &&
      [ "$(line_of "$table" "$2")" = "$(line_of "$table" "$work/changes.now")" ] &&
      ! changes_back "$table" "$now"; then
      fail "table $table was restored with $rows rows (checksum $sum), the unchanged live table has" \
        "${before//$'\t'/ rows, checksum }"
    fi
    say "table $table changed while it was dumped"
  done <"$3"
}
# Whether rows that come and go are why a table was dumped as it is at no look: the server forgets when a
# table last changed. Dumped once more, it is as it is when one looks; what a dump loses, it loses again.
changes_back() {
  local table=$1 now=$2 try again
  printf '%s\n' "$table" >"$work/one"
  for ((try = 0; try < 5; try++)); do
    again=$(mariadb-dump --defaults-extra-file="$client" "${dump_options[@]}" --skip-triggers \
      -- "$DATABASE_NAME" "$table" | load_beside "$proof_client" proof "$work/one" "$work/one.definitions") ||
      fail "table $table cannot be dumped a second time"
    [ "$again" != "$now" ] || return 0
    [ "$(measure_one live "$table")" = "$now" ] || return 0
  done
  return 1
}
# What a file's line says of a table.
line_of() {
  table=$1 awk -F'\t' '$1 == ENVIRON["table"] { print substr($0, length($1) + 2) }' "$2"
}

# What is on the volume, and whatever of it is no proven backup: an older chart's or a person's, who alone
# removes it. Each name ends with a NUL.
entries() {
  find "$root" -mindepth 1 -maxdepth 1 ! -name .work ! -name .lock ! -name lost+found -printf '%f\0' |
    LC_ALL=C sort --zero-terminated
}
other_entries() { entries | grep --text --null-data -vxF -f <(proven_backups) || true; }
# A text as JSON has it; nobody has use for a control character in one.
json_text() {
  local text=${1//[[:cntrl:]]/?}
  text=${text//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}
# Taken out by a rename, so that a kill in the middle leaves nothing that looks like a backup; what is left
# under .work goes at the next backup.
remove_backup() {
  mkdir -p "$root/.work"
  mv --no-target-directory "$root/$1" "$root/.work/pruned-$1"
  rm -rf "$root/.work/pruned-$1"
  say "removed $1: $2"
}

# Oldest first, by name. What an older chart left here has other names and is not touched.
proven_backups() {
  local dir
  for dir in "$root"/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z; do
    [ -f "$dir/manifest.json" ] && grep -q '"proven": true' "$dir/manifest.json" && basename "$dir"
  done
  return 0
}
# Empty where there is none.
newest_backup() { proven_backups | tail -n 1; }
