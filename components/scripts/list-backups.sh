#!/usr/bin/env bash
# Prints the proven backups of the backup volume, oldest first: one line of JSON each, and one last
# with the volume's own numbers. Changes nothing.
#
# Run by:  the Job that `fleet backups` makes, in a pod like the nightly backup's. Image: mariadb,
#          uid/gid 999.
# Volumes: /backup (the claim, read-only), /opt/matomo/scripts
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=backup-lib.sh
. /opt/matomo/scripts/backup-lib.sh

for backup in $(proven_backups); do
  printf '{"name": "%s", "manifest": %s}\n' "$backup" "$(tr --delete '\n' <"$root/$backup/manifest.json")"
done
printf '{"volume": {"bytes": %s, "free": %s}}\n' \
  "$(df --output=size --block-size=1 "$root" | tail -n 1)" "$(free_bytes "$root")"
