#!/usr/bin/env bash
# Prints what is on the backup volume, one line of JSON each: the proven backups, oldest first; what is
# nobody's backup, by name; and last the volume's own numbers. Changes nothing.
#
# Run by:  the Job that `fleet backups` makes, in a pod like the nightly backup's, and remove-backups.sh.
#          Image: mariadb, uid/gid 999.
# Volumes: /backup (the claim, read-only), /opt/matomo/scripts, /tmp
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=backup-lib.sh
. /opt/matomo/scripts/backup-lib.sh

for backup in $(proven_backups); do
  manifest=$(tr --delete '\n' <"$root/$backup/manifest.json")
  printf '{"name": "%s", "manifest": %s}\n' "$backup" "$manifest"
done
while IFS= read -r -d '' name; do
  # What the job may not read, it does not count.
  used=$(du --summarize --block-size=1 -- "$root/$name" 2>/dev/null | cut -f 1) || true
  printf '{"other": %s, "bytes": %s, "changed": "%s"}\n' "$(json_text "$name")" "${used:-0}" \
    "$(date --utc --reference="$root/$name" +%Y-%m-%dT%H:%M:%SZ)"
done < <(other_entries)
volume_json
