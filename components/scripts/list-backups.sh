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
  manifest=$(tr --delete '\n' <"$root/$backup/manifest.json")
  printf '{"name": "%s", "manifest": %s}\n' "$backup" "$manifest"
done
volume_json
