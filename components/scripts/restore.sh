#!/usr/bin/env bash
# Brings a site back from a backup: database and state together, because the salt in config.ini.php
# makes the database's tokens valid. Into an empty site; over a live one only when told twice.
#
# Run by:  the Job that `fleet restore` makes, while Deployment matomo has no pod (the volume is
#          ReadWriteOnce). Image: mariadb, uid/gid 33, fsGroup 33.
# Volumes: /backup (the backup claim), /state (the web claim), /tmp, /opt/matomo/scripts,
#          /run/secrets/mariadb/{mariadb-username,mariadb-password}
# Env:     BACKUP          name of a directory in /backup, or `newest` (proven)
#          DATABASE_HOST, DATABASE_PORT (3306), DATABASE_NAME, SITE_HOST, HOSTNAME
#          RESTORE_OVERWRITE=yes and RESTORE_CONFIRM=<the site's host name>: replace what is there
# Killed anywhere and run again, it ends the same. Until it is done the web pod does not start.
set -euo pipefail

: "${BACKUP:?}" "${DATABASE_HOST:?}" "${DATABASE_NAME:?}" "${SITE_HOST:?}"
port=${DATABASE_PORT:-3306}
state=/state
marker=fleet_restore_in_progress

# shellcheck source-path=SCRIPTDIR source=backup-lib.sh
. /opt/matomo/scripts/backup-lib.sh
say() { printf 'restore: %s\n' "$*"; }
fail() { printf 'restore: ERROR: %s\n' "$*" >&2; exit 1; }
# `fleet restore` leaves the site as it was where it finds these words.
refuse() { fail "$* Nothing was touched."; }
measured=$(mktemp -d /tmp/restore.XXXXXX)
trap 'rm -rf "$client" "$measured"' EXIT

# A value of the manifest; backup.sh writes one key a line.
manifest_value() { sed -n "s/^ *\"$1\": \"\([^\"]*\)\",\{0,1\}$/\1/p" "$source/manifest.json"; }
manifest_sum() { sed -n "s/^ *\"$1\": {.*\"sha256\": \"\([0-9a-f]*\)\".*/\1/p" "$source/manifest.json"; }

exec 9>"$root/.lock"
flock --nonblock 9 || refuse "a backup is running on this volume; wait for it to end."

if [ "$BACKUP" = newest ]; then
  BACKUP=$(proven_backups | tail -n 1)
  [ -n "$BACKUP" ] || refuse "there is no proven backup on this volume."
fi
source=$root/$BACKUP
proven_backups | grep -Fxq "$BACKUP" ||
  refuse "$BACKUP is no proven backup; there are: $(proven_backups | paste -sd ' ')."
for file in database.sql.zst state.tar.zst; do
  printf '%s  %s\n' "$(manifest_sum "$file")" "$source/$file" | sha256sum --quiet --check - ||
    refuse "$file of $BACKUP is not what was proven: its checksum differs."
done

write_client_options "$DATABASE_HOST" "$port"
server_version=$(live 'SELECT VERSION()') ||
  refuse "the database at $DATABASE_HOST:$port cannot be reached with the Secret's password."
dumped_by=$(manifest_value mariadb)
[ -n "$dumped_by" ] || refuse "the manifest of $BACKUP does not say which MariaDB it was made by."
newer_or_same "${server_version%%-*}" "${dumped_by%%-*}" ||
  refuse "the backup was made by MariaDB $dumped_by, the server is $server_version, which is older."

# A site is live when either half of it is there. A restore that was cut short is none.
tables=$(live "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()")
unfinished=$(live "SELECT COUNT(*) FROM information_schema.tables
  WHERE table_schema = DATABASE() AND table_name = '$marker'")
if [ "$unfinished" = 0 ] && { [ "$tables" != 0 ] || [ -s "$state/config/config.ini.php" ]; }; then
  [ "${RESTORE_OVERWRITE:-}/${RESTORE_CONFIRM:-}" = "yes/$SITE_HOST" ] ||
    refuse "a site is there ($tables tables). To replace it with $BACKUP, after a backup of what is" \
      "there, tell fleet restore --overwrite $SITE_HOST, which sets RESTORE_OVERWRITE=yes and" \
      "RESTORE_CONFIRM=$SITE_HOST."
fi

say "restoring $BACKUP (Matomo $(manifest_value matomo), MariaDB $dumped_by)"
live "CREATE TABLE IF NOT EXISTS $marker (started TIMESTAMP)"
# All that is there goes, so that no table of a later date survives between the restored ones.
live "SELECT CONCAT('DROP ', IF(table_type = 'VIEW', 'VIEW', 'TABLE'), ' \`', table_name, '\`;')
  FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name <> '$marker'" |
  mariadb --defaults-extra-file="$client" "$DATABASE_NAME"
zstd --quiet --decompress --stdout "$source/database.sql.zst" |
  mariadb --defaults-extra-file="$client" --max-allowed-packet=1G "$DATABASE_NAME" ||
  fail "the dump was not taken in to its end; run this Job again"

# What the manifest proved is what must be there now.
tables_of live >"$measured/tables"
measure live "$measured/tables" >"$measured/now"
sed -n 's/^ *{"name": "\(.*\)", "rows": \([0-9]*\), "checksum": \([0-9]*\)},\{0,1\}$/\1\t\2\t\3/p' \
  "$source/manifest.json" >"$measured/then"
diff "$measured/then" "$measured/now" >&2 || fail "tables differ from the manifest (above)"

# The old state is put aside, not deleted; third-party plugins and uploads are the backup's alone.
aside=$state/.matomo/replaced-$(date --utc +%Y-%m-%dT%H%M%SZ)
for entry in config/config.ini.php misc/user plugins; do
  if [ -e "$state/$entry" ] && [ -n "$(find "$state/$entry" -type f -print -quit)" ]; then
    mkdir -p "$(dirname "$aside/$entry")"
    mv "$state/$entry" "$aside/$entry"
  fi
done
rm -f "$state/.matomo/version" "$state/.matomo/config.ini.php"
zstd --quiet --decompress --stdout "$source/state.tar.zst" |
  tar --extract --file=- --directory="$state" --no-same-owner ||
  fail "the state was not unpacked to its end; run this Job again"
(cd "$state" && sha256sum --quiet --strict --check SHA256SUMS) || fail "the state differs (above)"
rm -f "$state/SHA256SUMS"

# What says that it is done is on the disk at once; so is the state, then.
sync --file-system "$state"
live "DROP TABLE $marker"
say "done: $(wc -l <"$measured/now") tables and the state of $BACKUP. Start the web pod again."
