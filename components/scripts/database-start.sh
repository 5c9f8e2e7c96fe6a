#!/usr/bin/env bash
# Starts MariaDB by its image's own entrypoint. That one never initialises a data folder again that
# has the system's tables, even when it was killed before it made the accounts: nobody could log in,
# for as long as the volume lives. A first start that was cut short is begun anew here.
#
# Run by:  container `mariadb`. Image: mariadb (uid/gid 999, no capability, read-only root).
# Volumes: /var/lib/mysql, /opt/matomo/scripts; database-made.sh in /docker-entrypoint-initdb.d;
#          those of the server
# Env:     MARIADB_DATABASE, and what else the image's entrypoint reads
set -euo pipefail

data=/var/lib/mysql
# Stands from before the first start until database-made.sh takes it away. A folder that was made by
# anybody else has none, and nothing of it is ever removed.
unfinished=$data/.first-start-unfinished

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
if [ ! -d "$data/mysql" ]; then
  touch "$unfinished"
  sync "$data"
fi

exec docker-entrypoint.sh mariadbd
