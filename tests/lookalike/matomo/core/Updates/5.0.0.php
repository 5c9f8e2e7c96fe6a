<?php
/** The table that addSite needs and createTables does not make: installLoadedPlugins does. */

use Piwik\Common;
use Piwik\Db;

$column = Db::fetchOne("SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = ? AND column_name = 'referer_url'", [Common::prefixTable('log_visit')]);
if (!$column) {
    Db::query('ALTER TABLE ' . Common::prefixTable('log_visit') . " ADD referer_url VARCHAR(1500) NOT NULL DEFAULT ''");
}
