#!/usr/bin/env bash
# Brings a site back from a backup: database and state together, because the salt in config.ini.php
# makes the database's tokens valid. Into an empty site; over a live one only when told twice.
#
# Run by:  the Job that `fleet restore` makes, while Deployment matomo has no pod (the volume is
#          ReadWriteOnce). Image: mariadb, uid/gid 33, fsGroup 33.
# Volumes: /backup (the backup claim), /state (the web claim), /tmp, /opt/matomo/scripts,
#          /run/secrets/mariadb/{mariadb-username,mariadb-password}
# Env:     BACKUP          name of a directory in /backup, `newest` (proven), or `offsite`: the one that
#                          fetch-offsite.sh brought
#          DATABASE_HOST, DATABASE_PORT (3306), DATABASE_NAME, SITE_HOST, HOSTNAME
#          RESTORE_OVERWRITE=yes and RESTORE_CONFIRM=<the site's host name>: replace what is there
# Tables are loaded beside those that are there, compared with what was proven, and only then put in their
# place: until then the site is as it was. The backup's proof is the same code (backup-lib.sh). Killed
# anywhere and run again, it ends the same. Until it is done the web pod does not start.
set -euo pipefail

: "${BACKUP:?}" "${DATABASE_HOST:?}" "${DATABASE_NAME:?}" "${SITE_HOST:?}"
port=${DATABASE_PORT:-3306}
state=/state

# shellcheck source-path=SCRIPTDIR source=backup-lib.sh
. /opt/matomo/scripts/backup-lib.sh
say() { printf 'restore: %s\n' "$*"; }
fail() { printf 'restore: ERROR: %s\n' "$*" >&2; exit 1; }
# `fleet restore` leaves the site as it was where it finds these words.
refuse() { fail "$* Nothing was touched."; }
measured=$(mktemp -d /tmp/restore.XXXXXX)
trap 'rm -rf "$client" "$proof_client" "$measured"' EXIT
names=$measured/names
definitions=$measured/definitions

# A value of the manifest; backup.sh writes one key a line.
manifest_value() { sed -n "s/^ *\"$1\": \"\([^\"]*\)\",\{0,1\}$/\1/p" "$source/manifest.json"; }
manifest_sum() { sed -n "s/^ *\"$1\": {.*\"sha256\": \"\([0-9a-f]*\)\".*/\1/p" "$source/manifest.json"; }

exec 9>"$root/.lock"
flock --nonblock 9 || refuse "a backup is running on this volume; wait for it to end."

if [ "$BACKUP" = newest ]; then
  BACKUP=$(newest_backup)
  [ -n "$BACKUP" ] || refuse "there is no proven backup on this volume."
fi
if [ "$BACKUP" = offsite ]; then
  [ -s /tmp/offsite-backup ] || refuse "nothing was fetched from off-site (init container offsite)."
  BACKUP=$(</tmp/offsite-backup)
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
tables=$(tables_of live | wc -l)
unfinished=$(live "SELECT COUNT(*) FROM information_schema.tables
  WHERE table_schema = DATABASE() AND table_name = '$marker'")
if [ "$unfinished" = 0 ] && { [ "$tables" != 0 ] || [ -s "$state/config/config.ini.php" ]; }; then
  [ "${RESTORE_OVERWRITE:-}/${RESTORE_CONFIRM:-}" = "yes/$SITE_HOST" ] ||
    refuse "a site is there ($tables tables). To replace it with $BACKUP, after a backup of what is" \
      "there, tell fleet restore --overwrite $SITE_HOST, which sets RESTORE_OVERWRITE=yes and" \
      "RESTORE_CONFIRM=$SITE_HOST."
fi

# The backup whose tables began to take the place of what was there: from then on there is no site but that
# one. Of an older program's restore nobody knows which it was.
taking_place=""
if [ "$unfinished" != 0 ]; then
  known=$(live "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = '$marker' AND column_name = 'backup'") || refuse "the database does not answer."
  # The row first: without it, nothing was touched.
  [ "$known" != 0 ] || live "INSERT INTO $marker VALUES (NULL);
    ALTER TABLE $marker ADD COLUMN backup VARCHAR(64) NOT NULL DEFAULT 'unknown'"
  taking_place=$(live "SELECT MAX(backup) FROM $marker HAVING COUNT(*) > 0")
fi
# A name is written as JSON has it.
sed -n 's/^ *{"name": "\(.*\)", "rows": \([0-9]*\), "checksum": \([0-9]*\)},\{0,1\}$/\1\t\2\t\3/p' \
  "$source/manifest.json" | sed 's/\\\(["\\]\)/\1/g' >"$measured/then"
cut -f 1 "$measured/then" >"$names"
sed -n 's/^ *"leftOut": \["\(.*\)"\],$/\1/p' "$source/manifest.json" |
  sed 's/", "/\n/g; s/\\\(["\\]\)/\1/g' >"$measured/left-out"
dump() { zstd --quiet --decompress --stdout "$source/database.sql.zst"; }

say "restoring $BACKUP (Matomo $(manifest_value matomo), MariaDB $dumped_by)"
if [ "$taking_place" = "$BACKUP" ]; then
  say "going on: its tables take the place of what was there"
  dump | read_dump "$names" "$definitions" >/dev/null
else
  if [ -z "$taking_place" ]; then
    live "CREATE TABLE IF NOT EXISTS $marker (backup VARCHAR(64) NOT NULL)"
  else
    # The tables of the other backup that still wait for their place go now.
    live "UPDATE $marker SET backup = 'unknown'"
  fi
  not_loaded() {
    drop_beside "$client" live || true
    [ -z "$taking_place" ] || fail "$* The restore of another backup is half done: run this Job again."
    live "DROP TABLE $marker" || fail "$* The database does not answer: run this Job again."
    refuse "$*"
  }
  dump | load_beside "$client" live "$names" "$definitions" >"$measured/now" ||
    not_loaded "the dump was not taken in beside what is there (above): a full volume, a broken connection?"
  # What the manifest proved is what must be there now.
  same_tables "$measured/then" "$measured/now" ||
    not_loaded "tables that were loaded differ from the manifest (above)."
  live "START TRANSACTION; DELETE FROM $marker; INSERT INTO $marker (backup) VALUES ('$BACKUP'); COMMIT"
fi
take_place "$client" live "$names" "$definitions" "$measured/left-out" ||
  fail "the tables did not all take their place; run this Job again"
tables_of live >"$measured/in-place"
same_tables <(cut -f 1 "$measured/then") "$measured/in-place" ||
  fail "the tables that are there are not those of the manifest (above); run this Job again"

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
say "done: $(wc -l <"$measured/then") tables and the state of $BACKUP. Start the web pod again."
