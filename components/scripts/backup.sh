#!/usr/bin/env bash
# Makes a backup, restores it into a throw-away server in this pod, compares, and only then
# publishes it by a rename (decision 4, incidents 5 and 19: a backup that cannot be restored is
# none, and a failing one fails the job).
#
# Run by:  main container `backup` of CronJob matomo-backup, after fetch-state.sh.
#          Image: mariadb of the server's version (client never older), uid/gid 999.
# Volumes: /backup (the claim), /tmp, /opt/matomo/scripts,
#          /run/secrets/mariadb/{mariadb-username,mariadb-password}
# Env:     DATABASE_HOST, DATABASE_PORT (3306), DATABASE_NAME, TABLE_PREFIX, RETENTION_DAYS,
#          SITE_HOST, HOSTNAME (the pod's name), KEEP_BACKUP (none: one that neither its age nor the
#          lack of room removes)
# Output:  /backup/<UTC time>/{database.sql.zst,state.tar.zst,manifest.json}
# What is not yet proven is under /backup/.work alone; a killed run's leftovers go at the next run.
set -euo pipefail

: "${DATABASE_HOST:?}" "${DATABASE_NAME:?}" "${RETENTION_DAYS:?}" "${SITE_HOST:?}"
: "${TABLE_PREFIX:?}"
port=${DATABASE_PORT:-3306}
keep=${KEEP_BACKUP:-}
started=$SECONDS
umask 027

# shellcheck source-path=SCRIPTDIR source=backup-lib.sh
. /opt/matomo/scripts/backup-lib.sh
made=$work/made

rows_json() {
  local table rows sum comma=""
  while IFS=$'\t' read -r table rows sum; do
    printf '%s\n    {"name": %s, "rows": %s, "checksum": %s}' \
      "$comma" "$(json_text "$table")" "$rows" "$sum"
    comma=,
  done <"$work/restored"
}
file_json() {
  local bytes sum
  bytes=$(stat --format=%s "$1") && sum=$(sha256sum "$1") || return 1
  printf '{"bytes": %s, "sha256": "%s"}' "$bytes" "${sum%% *}"
}
# What the site's user may not read, or not define: named, so that nobody relies on it.
left_out_json() {
  local one comma=""
  while IFS= read -r one; do
    printf '%s%s' "$comma" "$(json_text "$one")"
    comma=", "
  done <"$work/left-out"
}
write_manifest() {
  local database state
  # Apart: what fails within a text is not noticed.
  database=$(file_json "$made/database.sql.zst") || fail "the dump cannot be read again"
  state=$(file_json "$made/state.tar.zst") || fail "the state cannot be read again"
  cat <<JSON
{
  "format": 1,
  "proven": true,
  "site": "$SITE_HOST",
  "database": "$DATABASE_NAME",
  "mariadb": "$server_version",
  "matomo": "$matomo_version",
  "files": {
    "database.sql.zst": $database,
    "state.tar.zst": $state
  },
  "milliseconds": {"dump": $dump_ms, "restore": $restore_ms, "proof": $proof_ms},
  "databaseBytes": $data_bytes,
  "leftOut": [$(left_out_json)],
  "tables": [$(rows_json)
  ]
}
JSON
}

# Backups older than the retention go, but never the newest proven one.
prune() {
  local backup newest limit
  limit=$(date --utc --date="$RETENTION_DAYS days ago" +%Y-%m-%dT%H%M%SZ)
  newest=$(newest_backup)
  for backup in $(proven_backups); do
    [[ $backup < $limit && $backup != "$newest" && $backup != "$keep" ]] || continue
    remove_backup "$backup" "older than $RETENTION_DAYS days"
  done
}
# Where a new backup has no room, the oldest go, however young: never the newest proven one, and none
# where that would not be enough.
make_room() {
  local need=$1 free backup newest goes=()
  free=$(free_bytes "$root")
  newest=$(newest_backup)
  for backup in $(proven_backups); do
    if [ "$free" -ge "$need" ] || [ "$backup" = "$newest" ]; then break; fi
    [ "$backup" != "$keep" ] || continue
    free=$((free + $(du --summarize --block-size=1 "$root/$backup" | cut -f 1)))
    goes+=("$backup")
  done
  [ "$free" -ge "$need" ] || return 0
  for backup in "${goes[@]}"; do remove_backup "$backup" "a new one has no room beside it"; done
}

# One consistent view of the tables, without a lock on the live site; then the definitions, as many as the
# site's user may read: a view that is broken, or a routine of somebody else, keeps no table from its backup.
dump_live() {
  local views options ignored=()
  no_tables live >"$work/no-tables" || return 1
  mapfile -t ignored <"$work/no-tables"
  live "SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE() ORDER BY 1" \
    >"$work/views" || return 1
  mapfile -t views <"$work/views"
  options=(--defaults-extra-file="$client" "${dump_options[@]}")
  mariadb-dump "${options[@]}" --skip-triggers "${ignored[@]}" "$DATABASE_NAME" || return 1
  echo "$separator"
  options+=(--force --no-data)
  what_is_readable "${options[@]}" --no-create-info --triggers --routines --events "${ignored[@]}" \
    "$DATABASE_NAME" || return 1
  [ "${#views[@]}" = 0 ] ||
    what_is_readable "${options[@]}" --skip-triggers -- "$DATABASE_NAME" "${views[@]}"
}
# What cannot be read is an error that it says and goes on from; killed, it did not go on.
what_is_readable() { mariadb-dump "$@" 2>>"$work/unread" || [ $? -lt 128 ]; }

# Two jobs at once (one made by hand) would prune and clean under each other.
exec 9>"$root/.lock"
flock --nonblock 9 || fail "another backup is running on this volume; this one did nothing"

cleanup() {
  stop_throwaway
  rm -rf "$work" "$client" "$proof_client"
}
trap cleanup EXIT
trap 'exit 143' TERM INT

[ -s "$work/state.tar" ] || fail "the state was not fetched (init container fetch-state)"

mkdir -p "$made"

write_client_options "$DATABASE_HOST" "$port"
server_version=$(live 'SELECT VERSION()') ||
  fail "the database at $DATABASE_HOST:$port cannot be reached with the Secret's password"
client_version=$(mariadbd --version | sed -n 's/.*Ver \([0-9]*\.[0-9]*\)\..*/\1/p')
server_number=${server_version%%-*}
if [ -z "$client_version" ] || [ -z "$server_number" ]; then
  fail "the client says \"$client_version\" for its version, the server \"$server_version\": one that" \
    "is not known cannot be compared (incident 19)"
fi
newer_or_same "$client_version" "${server_number%.*}" ||
  fail "the client is $client_version, the server $server_version: a client older than its server" \
    "writes dumps that do not restore (incident 19). Set the backup's image to the server's version."

odd=$(live "SELECT COUNT(*) FROM information_schema.tables
  WHERE table_schema = DATABASE() AND table_name REGEXP '[[:cntrl:]]'") || fail "the tables cannot be listed"
[ "$odd" = 0 ] || fail "the names of $odd tables have a control character: rename them"
tables_of live >"$work/tables" || fail "the list of tables cannot be read"
[ -s "$work/tables" ] || fail "the database $DATABASE_NAME has no table: there is no site to back up"
# What the server last counted may be of long ago. One before 10.5.4 would have visitors wait (MDEV-15101).
if newer_or_same "$server_number" 10.5.4; then
  analyzed=$(while IFS= read -r name; do printf '%s, ' "$(quoted_name "$name")"; done <"$work/tables")
  live "ANALYZE NO_WRITE_TO_BINLOG TABLE ${analyzed%, }" >/dev/null ||
    fail "the tables' sizes cannot be counted"
fi
# Room for the dump, and for the whole database once more while it is proven.
data_bytes=$(live "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS INTEGER)
  FROM information_schema.tables WHERE table_schema = DATABASE()")
need=$((data_bytes * 16 / 10 + 300 * 1024 * 1024))
# Old ones go once the new one is proven, so that failures eat none up; but not where they are why
# there can be no new one.
[ "$(free_bytes "$root")" -ge "$need" ] || prune
make_room "$need"
free=$(free_bytes "$root")
[ "$free" -ge "$need" ] ||
  fail "$((free / 1048576)) MiB are free on the backup volume, $((need / 1048576)) MiB are needed to" \
    "make and prove a backup beside the newest proven one. Grow storage.backup. What this program did not" \
    "make is never removed."

last_changes >"$work/changes.before" || fail "the tables' last changes cannot be read"
measure live "$work/tables" >"$work/live.before" || fail "a table of the live site cannot be read"

say "dumping $((data_bytes / 1048576)) MiB from $server_version"
dump_started=$(milliseconds)
# The checksum is taken when the dump is read back, not here, so that nothing slows the pipe.
dump_live | zstd --quiet -3 -o "$made/database.sql.zst" ||
  fail "the dump broke off; nothing was published"
dump_ms=$(($(milliseconds) - dump_started))
sync --file-system "$made"

say "restoring into a throw-away server"
restore_started=$(milliseconds)
start_throwaway
# The numbers of the tables: those that came since the first look follow.
cp "$work/tables" "$work/names"
: >"$work/nothing"
# One pass reads the file: its checksum goes one way, what it holds another.
zstd --quiet --decompress --stdout "$made/database.sql.zst" |
  tee >(plain_tables | sha256sum >"$work/dumped.sum") |
  load_beside "$proof_client" proof "$work/names" "$work/definitions" >"$work/restored" ||
  fail "the dump does not restore"
take_place "$proof_client" proof "$work/names" "$work/definitions" "$work/nothing" 2>>"$work/unread" ||
  fail "the restored tables do not take their place: $(tail -n 1 "$work/unread")"
restore_ms=$(($(milliseconds) - restore_started))

say "comparing"
proof_started=$(milliseconds)
throwaway_dump "$DATABASE_NAME" | plain_tables | sha256sum >"$work/restored.sum" ||
  fail "the restored database cannot be dumped"
wait_for_file "$work/dumped.sum"
cmp -s "$work/dumped.sum" "$work/restored.sum" ||
  fail "the restored database differs from the dump"
tables_of proof >"$work/dumped" || fail "the restored tables cannot be listed"
same_tables <(cut -f 1 "$work/restored") "$work/dumped" || fail "restored tables did not take their place"
# A table may have been made since the first look, a month's first archive for example: the dump has it.
tables_of live >"$work/still" || fail "the list of tables cannot be read"
lost=$(LC_ALL=C comm -12 <(LC_ALL=C sort "$work/tables") <(LC_ALL=C sort "$work/still") |
  LC_ALL=C comm -23 - <(LC_ALL=C sort "$work/dumped"))
[ -z "$lost" ] || fail "the dump lacks tables of the live site: ${lost//$'\n'/ }"
compare_tables "$work/live.before" "$work/changes.before" "$work/restored"
definitions_of live >"$work/defined" || fail "the definitions of the live site cannot be listed"
definitions_of proof >"$work/redefined" || fail "the restored definitions cannot be listed"
LC_ALL=C comm -23 <(LC_ALL=C sort "$work/defined") <(LC_ALL=C sort "$work/redefined") |
  tr '\t' ' ' >"$work/left-out"
while IFS= read -r one; do
  say "WARNING: $one is not in the backup: the site's user may not read it, or not define it"
done <"$work/left-out"
matomo_version=$(proof "SELECT option_value FROM \`${TABLE_PREFIX}option\`
  WHERE option_name = 'version_core'")
[ -n "$matomo_version" ] || fail "the restored database does not say its Matomo version"
proof_ms=$(($(milliseconds) - proof_started))
stop_throwaway

zstd --quiet -3 --rm "$work/state.tar" -o "$made/state.tar.zst"
zstd --quiet --test "$made/state.tar.zst" || fail "the state cannot be read back"

write_manifest >"$made/manifest.json"
name=$(date --utc +%Y-%m-%dT%H%M%SZ)
[ ! -e "$root/$name" ] || fail "$root/$name is there already"
sync --file-system "$made"
mv --no-target-directory "$made" "$root/$name"
sync --file-system "$root"
prune
# Kubernetes shows this of an ended pod; nobody else measures a volume that is mounted by night alone.
# Where no kubelet runs the script, there is no such file.
if [ -w /dev/termination-log ]; then
  volume_json >/dev/termination-log
fi
say "published $name: $(du -sh "$root/$name" | cut -f 1), $((SECONDS - started)) s"
