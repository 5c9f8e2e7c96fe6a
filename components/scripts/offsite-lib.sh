#!/bin/sh
# What the scripts that reach the off-site repository share: restic, its words, what is there.
#
# Sourced by offsite.sh, fetch-offsite.sh and list-offsite.sh; image restic (a busybox: no bash, no GNU),
# uid/gid 999, or 33 to fetch.
# Volumes: /backup, /tmp, /run/secrets/offsite/{credentials,repository-password}
# Env:     RESTIC_REPOSITORY (s3:https://ENDPOINT/BUCKET/PREFIX), AWS_DEFAULT_REGION
# shellcheck shell=dash

: "${RESTIC_REPOSITORY:?}" "${AWS_DEFAULT_REGION:?}"
# In files, never in argv or the environment. Names of backups are times of UTC.
export RESTIC_PASSWORD_FILE=/run/secrets/offsite/repository-password
export AWS_SHARED_CREDENTIALS_FILE=/run/secrets/offsite/credentials
export TZ=UTC
# shellcheck disable=SC2034 # for those that source it
root=/backup
scratch=$(mktemp -d /tmp/offsite.XXXXXX)
running=""
doing=""

say() { printf 'offsite: %s\n' "$*"; }
fail() {
  printf 'offsite: ERROR: %s\n' "$*" >&2
  exit 1
}
# The shell is the pod's first process: nobody else tells restic to end, which then takes its lock along.
stop() {
  trap '' TERM INT
  [ -z "$running" ] || { kill "$running" && wait "$running"; } 2>/dev/null || true
  fail "ended from outside${doing:+ while $doing}"
}
trap 'rm -rf "$scratch"' EXIT
trap stop TERM INT

# Runs restic; its words are in $scratch/out and $scratch/err. Without a cache: what it reads is what is
# stored, and the repository of one site is small.
ask() {
  restic --no-cache "$@" >"$scratch/out" 2>"$scratch/err" &
  running=$!
  awaited
}
awaited() {
  local status=0
  wait "$running" || status=$?
  running=""
  return "$status"
}
# Why it failed: one line, of JSON where it was asked for that.
why() {
  sed 's/^{.*"message":"\(.*\)"}$/\1/; s/\\n.*//; s/\\"/"/g; s/\.$//' "$scratch/err" |
    awk '/^Fatal: / { fatal = $0; exit } NF { last = $0 } END { print fatal ? substr(fatal, 8) : last }'
}

# Where it is the key that the server did not like.
key_hint() {
  ! grep -qi 'denied\|signature\|access key' "$scratch/err" ||
    echo " (see matomo:backup.offsite.accessKeyId and secretAccessKey)"
}

# Says what an exit code of restic means where nothing could be asked of the repository.
cannot_open() {
  case $1 in
    10)
      ! bucket_is_missing ||
        fail "the bucket of $RESTIC_REPOSITORY does not exist: make it, or correct matomo:backup.offsite"
      fail "there is no repository $RESTIC_REPOSITORY"
      ;;
    11) fail "the repository $RESTIC_REPOSITORY is locked by another restic: $(why)" ;;
    12)
      fail "the repository $RESTIC_REPOSITORY has another password. Where another stack made it," \
        "matomo:backup.offsite.repositoryPassword is that stack's, which fleet credentials shows; another" \
        "site's repository needs another prefix"
      ;;
    *) fail "the repository $RESTIC_REPOSITORY cannot be opened: $(why)$(key_hint)" ;;
  esac
}
# A server says to anybody that there is no such bucket; of one that is there it says that it is closed.
bucket_is_missing() {
  local address=${RESTIC_REPOSITORY#s3:} rest
  rest=${address#*://}
  rest=${rest#"${rest%%/*}"/}
  ! wget -q -O /dev/null "${address%"/${rest#*/}"}/" 2>"$scratch/bucket" && grep -q ' 404 ' "$scratch/bucket"
}

# Prints the snapshots of the last answer, in no order: "backup id tree tags". Tags have no spaces.
snapshots() {
  sed 's/},{"time":/}\n{"time":/g' "$scratch/out" | sed -n \
    's|.*"tree":"\([0-9a-f]*\)","paths":\["[^"]*/\([0-9T-]*Z\)"\].*"tags":\[\([^]]*\)\].*"id":"\([0-9a-f]*\)".*|\2 \4 \1 \3|p'
}
# Prints the proven backups that are there, oldest first, each once.
backups_there() {
  ask snapshots --no-lock --json --tag proven || cannot_open $?
  snapshots | sort -u -k 1,1
}

# What a manifest says of a file; backup.sh writes one key a line.
manifest_sum() { sed -n "s/^ *\"$1\": {.*\"sha256\": \"\([0-9a-f]*\)\".*/\1/p" "$2"; }
manifest_bytes() {
  sed -n 's/^ *"[a-z.]*": {"bytes": \([0-9]*\),.*/\1/p' "$1" |
    awk '{ bytes += $1 } END { printf "%.0f\n", bytes }'
}
sum_of() { sha256sum <"$1" | cut -c 1-64; }
# The files of a backup; the first says what the others are.
# shellcheck disable=SC2034 # for those that source it
files='manifest.json database.sql.zst state.tar.zst'
