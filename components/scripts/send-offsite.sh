#!/bin/sh
# Prints a file of a backup in the off-site repository, from a byte on.
#
# Run by:    `fleet backups download`, in the pod of its Job. Image: restic (a busybox: no bash, no GNU),
#            uid/gid 999.
# Arguments: name of the backup, name of the file, first byte (from 1)
# Volumes:   /tmp, /opt/matomo/scripts, /run/secrets/offsite
# Env:       RESTIC_REPOSITORY, AWS_DEFAULT_REGION
# shellcheck shell=dash
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=offsite-lib.sh
. /opt/matomo/scripts/offsite-lib.sh
name=$1 file=$2 start=$3

backups_there >"$scratch/there"
grep "^$name " "$scratch/there" >"$scratch/chosen" || fail "$name is no proven backup in $RESTIC_REPOSITORY"
read -r _ id _ <"$scratch/chosen"
status=$scratch/status
{
  restic --no-cache --no-lock dump "$id" "/$name/$file" 2>"$scratch/err" || echo "$?" >"$status"
} | tail -c "+$start"
[ ! -e "$status" ] || fail "$file of $name cannot be read from $RESTIC_REPOSITORY: $(why)"
