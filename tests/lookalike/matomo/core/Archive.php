<?php
/** The archiver and its words: what an archive job may and may not take for success. */

namespace Piwik;

final class CronArchive
{
    private const TODAY_TTL = 900;
    /** Pages of a day that its report names. */
    private const MAXIMUM_ROWS = 500;
    private int $requests = 0;

    private function log(string $line, string $level = 'INFO'): void
    {
        $text = str_replace("\n", "\n  ", rtrim($line));
        echo $level . ' CoreAdminHome[' . gmdate('Y-m-d H:i:s') . " UTC] [00000] $text\n";
        flush();
    }

    /** Tables of one month, as the real one names them. */
    private static function tables(): array
    {
        $month = gmdate('Y_m');
        $numeric = Common::prefixTable("archive_numeric_$month");
        $blob = Common::prefixTable("archive_blob_$month");
        $columns = 'idarchive INT UNSIGNED NOT NULL, name VARCHAR(190) NOT NULL, idsite INT UNSIGNED,
            date1 DATE, date2 DATE, period TINYINT UNSIGNED, ts_archived DATETIME';
        Db::query("CREATE TABLE IF NOT EXISTS $numeric ($columns, value DOUBLE, PRIMARY KEY (idarchive, name))");
        Db::query("CREATE TABLE IF NOT EXISTS $blob ($columns, value MEDIUMBLOB, PRIMARY KEY (idarchive, name))");
        return [$numeric, $blob];
    }

    private function archiveSite(int $site): void
    {
        [$numeric, $blob] = self::tables();
        $last = Db::fetchOne("SELECT UNIX_TIMESTAMP() - UNIX_TIMESTAMP(MAX(ts_archived)) FROM $numeric WHERE idsite = ?", [$site]);
        if ($last !== null && (int) $last < self::TODAY_TTL) {
            return;
        }
        $since = ['day' => gmdate('Y-m-d'), 'week' => gmdate('Y-m-d', strtotime('monday this week')),
            'month' => gmdate('Y-m-01'), 'year' => gmdate('Y-01-01')];
        $period = 0;
        foreach ($since as $name => $date) {
            $visits = (int) Db::fetchOne('SELECT COUNT(*) FROM ' . Common::prefixTable('log_visit') .
                ' WHERE idsite = ? AND visit_last_action_time >= ?', [$site, $date]);
            $id = (int) Db::fetchOne("SELECT COALESCE(MAX(idarchive), 0) + 1 FROM $numeric");
            $row = [$id, 'nb_visits', $site, $date, gmdate('Y-m-d'), ++$period, $visits];
            Db::query("INSERT INTO $numeric (idarchive, name, idsite, date1, date2, period, ts_archived, value)
                VALUES (?, ?, ?, ?, ?, ?, NOW(), ?)", $row);
            $row[1] = 'Actions_actions_url';
            $pages = $name === 'day' ? self::pages($site, $date) : [];
            // The most seen by name, and of all the sum.
            arsort($pages);
            $row[6] = gzcompress(serialize(['visits' => $visits, 'views' => array_sum($pages),
                'pages' => array_slice($pages, 0, self::MAXIMUM_ROWS)]));
            Db::query("INSERT INTO $blob (idarchive, name, idsite, date1, date2, period, ts_archived, value)
                VALUES (?, ?, ?, ?, ?, ?, NOW(), ?)", $row);
            $this->requests++;
            $this->log("Archived website id $site, period = $name, date = $date, segment = '', $visits visits found.");
        }
    }

    /** A site whose name holds the word `broken` is one whose archiving fails. */
    public function main(): void
    {
        $started = microtime(true);
        $this->log('START');
        $errors = [];
        foreach (Db::fetchAll('SELECT idsite, name FROM ' . Common::prefixTable('site')) as $site) {
            if (str_contains($site['name'], 'broken')) {
                $errors[] = "Got invalid response from API request: ?module=API&idSite={$site['idsite']}";
                continue;
            }
            $this->archiveSite((int) $site['idsite']);
        }
        $this->log('Done archiving!');
        $this->log('SUMMARY');
        $milliseconds = (int) ((microtime(true) - $started) * 1000);
        $end = $errors ? count($errors) . ' errors.' : 'no error';
        $this->log("done: {$this->requests} req, $milliseconds ms, $end");
        if ($errors) {
            $this->log('SUMMARY OF ERRORS');
            foreach ($errors as $error) {
                $this->log("Error: $error");
            }
        }
        Option::set('LastCompletedFullArchiving', time());
        $this->log('SCHEDULED TASKS');
        $this->log('Starting Scheduled tasks... ');
        Plugins\PrivacyManager\PrivacyManager::deleteLogData();
        foreach (Plugin\Manager::getInstance()->dueTasks() as $task) {
            $this->log("Scheduler: executing task {$task->getName()}...");
            try {
                $task->run();
            } catch (\Exception $error) {
                $this->log("Scheduler: Error {$error->getMessage()} for task '{$task->getName()}'", 'ERROR');
            }
            $this->log('Scheduler: finished. Time elapsed: 0.001s');
        }
        $this->log('done');
    }

    public static function visits(int $site): int
    {
        [$numeric] = self::tables();
        return (int) Db::fetchOne("SELECT value FROM $numeric WHERE idsite = ? AND name = 'nb_visits' AND period = 1
            AND date1 = ? ORDER BY idarchive DESC LIMIT 1", [$site, gmdate('Y-m-d')]);
    }

    /** How often each page was seen since a date. */
    private static function pages(int $site, string $date): array
    {
        $rows = Db::fetchAll('SELECT url, COUNT(*) AS hits FROM ' . Common::prefixTable('log_link_visit_action') .
            ' WHERE idsite = ? AND server_time >= ? GROUP BY url', [$site, $date]);
        return array_column($rows, 'hits', 'url');
    }

    /** The report of one page is what was archived: what is removed since is in it until the next run. */
    public static function hits(int $site, string $url): array
    {
        $hits = self::ofToday($site)['pages'][$url] ?? 0;
        return $hits ? [['label' => $url, 'nb_hits' => (int) $hits]] : [];
    }

    public static function pageViews(int $site): int
    {
        return (int) (self::ofToday($site)['views'] ?? 0);
    }

    private static function ofToday(int $site): array
    {
        [, $blob] = self::tables();
        $value = Db::fetchOne("SELECT value FROM $blob WHERE idsite = ? AND name = 'Actions_actions_url' AND period = 1
            AND date1 = ? ORDER BY idarchive DESC LIMIT 1", [$site, gmdate('Y-m-d')]);
        return $value ? unserialize(gzuncompress($value)) : [];
    }

    /** The next run archives the site however recent the last one is. */
    public static function invalidate(int $site): array
    {
        [$numeric] = self::tables();
        Db::query("UPDATE $numeric SET ts_archived = NOW() - INTERVAL 1 DAY WHERE idsite = ?", [$site]);
        return ['Success. Invalidation jobs executed.'];
    }
}
