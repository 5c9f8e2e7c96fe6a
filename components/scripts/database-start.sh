#!/usr/bin/env bash
# Starts MariaDB by its image's own entrypoint. That one never initialises a data folder again that
# has the system's tables, even when it was killed before it made the accounts: nobody could log in,
# for as long as the volume lives. A first start that was cut short is begun anew here.
#
# Run by:  container `mariadb`. Image: mariadb (uid/gid 999, no capability, read-only root).
# Volumes: /var/lib/mysql, /opt/matomo/scripts; database-made.sh in /docker-entrypoint-initdb.d;
#          those of the server
# Env:     MARIADB_DATABASE, and what else the image's entrypoint reads
# By hand: `database-start.sh anew` has the next start begin anew where there is no table of anybody's.
set -euo pipefail

data=/var/lib/mysql
# Stands from before the first start until database-made.sh takes it away. A folder that was made by
# anybody else has none, and nothing of it is ever removed.
unfinished=$data/.first-start-unfinished

# What is in no folder of the server's own.
tables() {
  find "$data" -mindepth 2 -maxdepth 2 -type f ! -name db.opt ! -path "$data/mysql/*" \
    ! -path "$data/sys/*" ! -path "$data/performance_schema/*" ! -path "$data/lost+found/*" \
    -print -quit 2>/dev/null || true
}

if [ "${1:-}" = anew ]; then
  found=$(tables)
  if [ -n "$found" ]; then
    echo "database: ERROR: ${found#"$data/"} is there: nothing is begun anew over data" >&2
    exit 1
  fi
  touch "$unfinished"
  sync "$data"
  echo "database: the next start of this pod begins anew"
  exit 0
fi

if [ -e "$unfinished" ]; then
  # There can be no table of a site yet; should there be one, it is worth more than this mark.
  if compgen -G "$data/${MARIADB_DATABASE:?}/*.ibd" >/dev/null; then
    rm "$unfinished"
  else
    echo "database: the first start was cut short; it begins anew"
    # The mark goes last, by database-made.sh: this may be killed, too.
    find "$data" -mindepth 1 -maxdepth 1 ! -name lost+found ! -path "$unfinished" -exec rm -rf {} +
  fi
fi
if [ -d "$data/mysql" ] && [ ! -e "$unfinished" ] && [ -z "$(tables)" ]; then
  # Made by somebody else, or before there was a mark: whether its accounts are there only they know.
  echo "database: this folder has the system's tables and no other. If logins are refused, its first" \
    "start was cut short; it begins anew by: kubectl -n matomo exec matomo-mariadb-0 -- bash" \
    "/opt/matomo/scripts/database-start.sh anew && kubectl -n matomo delete pod matomo-mariadb-0"
fi
if [ ! -d "$data/mysql" ]; then
  touch "$unfinished"
  sync "$data"
fi

exec docker-entrypoint.sh mariadbd
