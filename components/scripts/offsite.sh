#!/bin/sh
# Brings the proven backups off the cluster: encrypted into a bucket by restic, read back from there, and
# only then counted. What fails fails the Job; the backups of the volume stay as they are, as it is
# mounted read-only.
#
# Run by:  container `offsite` of CronJob matomo-backup, after backup.sh. Image: restic (a busybox: no bash,
#          no GNU), uid/gid 999.
# Volumes: /backup (the claim, read-only), /tmp, /opt/matomo/scripts,
#          /run/secrets/offsite/{credentials,repository-password}
# Env:     RESTIC_REPOSITORY, AWS_DEFAULT_REGION, RETENTION_DAYS, SITE_HOST
# In the repository: a snapshot for each backup, tagged `pending` until it was read back, `proven` then. A
# killed run leaves the first kind alone, which goes at the end of a later one.
# shellcheck shell=dash
# shellcheck disable=SC3040 # busybox has it
set -euo pipefail

: "${RETENTION_DAYS:?}" "${SITE_HOST:?}"
# How long older backups that are not there yet are brought, after the newest, in seconds.
catch_up=3600
started=$(date +%s)

# shellcheck source-path=SCRIPTDIR source=offsite-lib.sh
. /opt/matomo/scripts/offsite-lib.sh

# Newest first.
proven_here() {
  local manifest
  for manifest in "$root"/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9]*Z/manifest.json; do
    ! grep -q '"proven": true' "$manifest" 2>/dev/null || basename "$(dirname "$manifest")"
  done | sort -r
}

# A repository is made where there is none; a bucket never is.
open_repository() {
  local status=0
  doing="opening the repository"
  # Takes away what nobody holds any more.
  ask unlock || status=$?
  [ "$status" != 0 ] || return 0
  if [ "$status" != 10 ] || bucket_is_missing; then cannot_open "$status"; fi
  ask init || fail "there is no repository $RESTIC_REPOSITORY, and none can be made: $(why)$(key_hint)"
  say "WARNING: there was no repository $RESTIC_REPOSITORY: an empty one was made"
}

# Sets `snapshot` to the id of what it saves.
#
# Arguments: the backup, its tags, and further options of restic.
save() {
  local name=$1 tags=$2 time
  shift 2
  time=$(printf '%s' "$name" | sed 's/T\(..\)\(..\)\(..\)Z$/ \1:\2:\3/')
  ask backup --no-scan --host "$SITE_HOST" --time "$time" --tag "$tags" "$@" "$name" ||
    fail "$name was not uploaded to its end: $(why)"
  snapshot=$(sed -n 's/^snapshot \([0-9a-f]*\) saved$/\1/p' "$scratch/out")
  [ -n "$snapshot" ] || fail "restic does not say what it saved of $name"
}

# Every file comes back from there as it was proven.
read_back() {
  local name=$1 id=$2 file expected
  mkfifo "$scratch/pipe"
  for file in $files; do
    expected=$(manifest_sum "$file" "$name/manifest.json")
    [ "$file" != manifest.json ] || expected=$(sum_of "$name/manifest.json")
    sum_of "$scratch/pipe" >"$scratch/sum" &
    sum_pid=$!
    restic --no-cache --no-lock dump "$id" "/$name/$file" >"$scratch/pipe" 2>"$scratch/err" &
    running=$!
    awaited || true
    wait "$sum_pid"
    [ "$(cat "$scratch/sum")" = "$expected" ] ||
      fail "$file of $name does not come back from $RESTIC_REPOSITORY as it was proven; on the volume it is" \
        "as it was. $(why)"
  done
  rm "$scratch/pipe"
}

# What a list shows of a backup, so that it need not read each manifest.
tags_of() {
  local manifest=$1 key
  {
    echo proven
    for key in site matomo mariadb; do
      sed -n "s/^ *\"$key\": \"\([^\", ]*\)\",\{0,1\}$/$key=\1/p" "$manifest"
    done
    echo "bytes=$(manifest_bytes "$manifest")"
    sed -n 's/^ *{"name": ".*", "rows": \([0-9]*\), .*/\1/p' "$manifest" |
      awk '{ rows += $1 } END { printf "tables=%d\nrows=%.0f\n", NR, rows }'
  } | tr '\n' , | sed 's/,$//'
}

bring() {
  local name=$1 pending
  doing="uploading $name"
  say "uploading $name: $(($(manifest_bytes "$name/manifest.json") / 1048576)) MiB"
  save "$name" pending
  pending=$snapshot
  doing="reading $name back"
  read_back "$name" "$pending"
  # The same files by another name; nothing of them is read again.
  save "$name" "$(tags_of "$name/manifest.json")" --parent "$pending"
  ask snapshots --no-lock --json "$pending" "$snapshot" || cannot_open $?
  [ "$(snapshots | cut -d ' ' -f 3 | sort -u | wc -l)" = 1 ] ||
    fail "$name changed on the volume while it was read back"
  say "$name was read back as it was proven"
}

# All that is stored is read once within the retention, a part of it each night: what rots there is told
# while there are others.
check() {
  local parts=$RETENTION_DAYS
  doing="checking what is stored"
  [ "$parts" -le 256 ] || parts=256
  ask check --no-lock --read-data-subset "$(($(date +%s) / 86400 % parts + 1))/$parts" ||
    fail "what is stored in $RESTIC_REPOSITORY is damaged, and nothing was removed there:" \
      "$(grep '^pack \|^error' "$scratch/err" | sed 's/: .*//; q'). $(why). State another" \
      "matomo:backup.offsite.prefix, and the backups of the volume are brought anew"
}

# Those older than the retention go, counted from the newest, which therefore stays; so does what a killed
# run left.
prune() {
  local pending status=0
  doing="removing old backups"
  ask snapshots --no-lock --json --tag pending || cannot_open $?
  pending=$(snapshots | cut -d ' ' -f 2)
  # shellcheck disable=SC2086 # one word each
  [ -z "$pending" ] || ask forget $pending || status=$?
  [ "$status" != 0 ] ||
    ask forget --tag proven --group-by '' --keep-within "${RETENTION_DAYS}d" || status=$?
  # What no snapshot needs any more: of those, and of an upload that was cut short.
  [ "$status" != 0 ] || ask prune || status=$?
  case $status in
    0) ;;
    # A run that was killed within the last half hour left its lock, or a person works in there.
    11) say "WARNING: old backups stay there until the next run, as the repository is locked" ;;
    *) fail "old backups cannot be removed there: $(why)" ;;
  esac
}

exec 9<"$root/.lock"
flock -n 9 || fail "another backup is running on this volume; this one brought nothing off-site"
cd "$root"
proven_here >"$scratch/here"
[ -s "$scratch/here" ] || fail "there is no proven backup on the volume"
open_repository
backups_there >"$scratch/there"
until_now=$started
while IFS= read -r name <&3; do
  ! grep -q "^$name " "$scratch/there" || continue
  [ "$((until_now - started))" -lt "$catch_up" ] || break
  bring "$name"
  until_now=$(date +%s)
done 3<"$scratch/here"
check
prune
say "done: all is in $RESTIC_REPOSITORY, $(($(date +%s) - started)) s"
