#!/usr/bin/env bash
# Removes from the backup volume what a person named, then lists what is left. All of it is looked at
# before any of it goes: the newest proven backup never does, and while there is none, nothing does.
#
# Run by:    the Job that `fleet backups delete` and `prune` make, in a pod like the nightly backup's.
#            Image: mariadb, uid/gid 999.
# Arguments: names of entries of the volume, as list-backups.sh prints them
# Volumes:   /backup (the claim), /opt/matomo/scripts, /tmp
# Exit:      0 removed and listed; 1 not, and the last line says why
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=backup-lib.sh
. /opt/matomo/scripts/backup-lib.sh
trap 'rm -f "$client" "$proof_client"' EXIT
refuse() { fail "$*. Nothing was removed."; }

exec 9>"$root/.lock"
flock --nonblock 9 || refuse "a backup or a restore is running on this volume"

newest=$(newest_backup)
[ -n "$newest" ] || refuse "there is no proven backup on this volume: what is there may be the only copy"
for name in "$@"; do
  [ "$name" != "$newest" ] || refuse "$name is the newest proven backup: make another one first"
  entries | grep --text --null-data -xF -e "$name" >/dev/null || refuse "$name is not on the volume"
  # Half of a folder would be left that no backup could clear away, and no backup would be made again.
  fixed=$(find "$root/$name" -type d ! -writable -print -quit 2>&1)
  [ -z "$fixed" ] || refuse "$name is another user's, and cannot be removed by this one: $fixed"
done
for name in "$@"; do remove_backup "$name" "as it was told"; done
sync --file-system "$root"
bash /opt/matomo/scripts/list-backups.sh
