#!/bin/sh
# Prints the proven backups of the off-site repository, oldest first: one line of JSON each, and one last
# that says which repository it is, or why it cannot be read. Changes nothing.
#
# Run by:  container `offsite` of the Job that `fleet backups` makes. Image: restic (a busybox: no bash, no
#          GNU), uid/gid 999.
# Volumes: /tmp, /opt/matomo/scripts, /run/secrets/offsite
# Env:     RESTIC_REPOSITORY, AWS_DEFAULT_REGION
#          WAIT_SECONDS  how long the server may take to answer (default 120)
# shellcheck shell=dash
# shellcheck disable=SC3040 # busybox has it
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=offsite-lib.sh
. /opt/matomo/scripts/offsite-lib.sh
wait_seconds=${WAIT_SECONDS:-120}
# By itself it asks a server that does not answer for a quarter of an hour.
restic() { timeout "$wait_seconds" restic "$@"; }
exec 4>&1
text() { printf '%s' "$*" | tr -d '\\"' | tr '[:cntrl:]' ' '; }
# The backups of the volume are listed all the same.
fail() {
  case $* in
    *'context canceled') set -- "$RESTIC_REPOSITORY did not answer within $wait_seconds s" ;;
  esac
  printf '{"repository": {"name": "%s", "error": "%s"}}\n' "$RESTIC_REPOSITORY" "$(text "$*")" >&4
  exit 0
}

backups_there >"$scratch/there"
sed 's/^\([^ ]*\) [^ ]* [^ ]* \(.*\)$/{"offsite": "\1", "tags": [\2]}/' "$scratch/there"
printf '{"repository": {"name": "%s"}}\n' "$RESTIC_REPOSITORY"
