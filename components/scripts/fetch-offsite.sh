#!/bin/sh
# Brings a backup from the off-site repository onto the backup volume, where restore.sh finds it as any
# other: its own checks stay, and a restore that is cut short goes on without the network.
#
# Run by:  init container `offsite` of the Job that `fleet restore --from offsite` makes. Image: restic (a
#          busybox: no bash, no GNU), uid/gid 33, fsGroup 33.
# Volumes: /backup (the claim), /tmp, /opt/matomo/scripts, /run/secrets/offsite
# Env:     RESTIC_REPOSITORY, AWS_DEFAULT_REGION
#          OFFSITE_BACKUP  name of a backup there, or `newest`
# Output:  /backup/<name>, as backup.sh publishes one; its name is in /tmp/offsite-backup
# shellcheck shell=dash
# shellcheck disable=SC3040 # busybox has it
set -euo pipefail
umask 027

: "${OFFSITE_BACKUP:?}"

# shellcheck source-path=SCRIPTDIR source=offsite-lib.sh
. /opt/matomo/scripts/offsite-lib.sh
# The words by which `fleet restore` leaves the site as it was.
fail() {
  printf 'offsite: ERROR: %s. Nothing was touched.\n' "$*" >&2
  exit 1
}
work=$root/.work/offsite
trap 'rm -rf "$scratch" "$work"' EXIT

# Sets `wrong` to the first file of a folder that is not what its manifest says.
is_whole() {
  for wrong in $files; do
    [ "$wrong" != manifest.json ] || continue
    [ -f "$1/$wrong" ] && [ "$(sum_of "$1/$wrong")" = "$(manifest_sum "$wrong" "$1/manifest.json")" ] || return 1
  done
}
fetch() {
  restic --no-cache --no-lock dump "$id" "/$name/$1" >"$work/$name/$1" 2>"$scratch/err" &
  running=$!
  awaited || fail "$1 of $name cannot be read from $RESTIC_REPOSITORY: $(why)"
}

exec 9>"$root/.lock"
flock -n 9 || fail "a backup is running on this volume; wait for it to end"

doing="reading $RESTIC_REPOSITORY"
backups_there >"$scratch/there"
[ -s "$scratch/there" ] || fail "there is no proven backup in $RESTIC_REPOSITORY"
if [ "$OFFSITE_BACKUP" = newest ]; then
  tail -n 1 "$scratch/there" >"$scratch/chosen"
else
  grep "^$OFFSITE_BACKUP " "$scratch/there" >"$scratch/chosen" ||
    fail "$OFFSITE_BACKUP is no proven backup in $RESTIC_REPOSITORY; there are:" \
      "$(cut -d ' ' -f 1 "$scratch/there" | tr '\n' ' ' | sed 's/ $//')"
fi
read -r name id _ <"$scratch/chosen"

rm -rf "$root/.work"
mkdir -p "$work/$name"
fetch manifest.json
if cmp -s "$work/$name/manifest.json" "$root/$name/manifest.json" && is_whole "$root/$name"; then
  say "$name is on the volume already"
else
  need=$(($(manifest_bytes "$work/$name/manifest.json") / 1024 + 1024))
  free=$(df -P -k "$root" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$need" ] ||
    fail "$((free / 1024)) MiB are free on the backup volume, $((need / 1024)) MiB are needed for $name." \
      "Grow storage.backup"
  doing="fetching $name"
  say "fetching $name: $((need / 1024)) MiB"
  for file in $files; do fetch "$file"; done
  is_whole "$work/$name" || fail "$wrong of $name came from $RESTIC_REPOSITORY other than it was proven"
  sync
  # What has its name and is damaged.
  [ ! -e "$root/$name" ] || mv "$root/$name" "$work/damaged"
  mv "$work/$name" "$root/$name"
  say "$name is on the volume, as it was proven"
fi
printf '%s\n' "$name" >/tmp/offsite-backup
