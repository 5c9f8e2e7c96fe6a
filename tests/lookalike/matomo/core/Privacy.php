<?php
/** What is recorded of a visitor: as the real plugin PrivacyManager, whose options these are. */

namespace Piwik\Plugins\PrivacyManager {
    use Piwik\Common;
    use Piwik\Db;
    use Piwik\Option;

    /** @property bool|int $ipAnonymizerEnabled and the others: options of the database with a default. */
    final class Config
    {
        private const DEFAULTS = ['ipAnonymizerEnabled' => '1', 'ipAddressMaskLength' => '2',
            'doNotTrackEnabled' => '0', 'forceCookielessTracking' => '0'];

        public function __get(string $name): int
        {
            $stored = Option::get("PrivacyManager.$name");
            return (int) ($stored === false ? self::DEFAULTS[$name] : $stored);
        }

        public function __set(string $name, mixed $value): void
        {
            isset(self::DEFAULTS[$name]) || throw new \Exception("Property $name does not exist");
            Option::set("PrivacyManager.$name", (int) $value);
        }
    }

    final class PrivacyManager
    {
        private const PURGE = ['delete_logs_enable' => 0, 'delete_logs_schedule_lowest_interval' => 7,
            'delete_logs_older_than' => 180];

        public static function getPurgeDataSettings(): array
        {
            $settings = [];
            foreach (self::PURGE as $name => $default) {
                $stored = Option::get($name);
                $settings[$name] = (int) ($stored === false ? $default : $stored);
            }
            return $settings;
        }

        public static function savePurgeDataSettings(array $settings): void
        {
            foreach (array_intersect_key($settings, self::PURGE) as $name => $value) {
                Option::set($name, (int) $value);
            }
        }

        /** A scheduled task of the archive run. */
        public static function deleteLogData(): void
        {
            $settings = self::getPurgeDataSettings();
            if ($settings['delete_logs_enable'] && !Option::get('lastDelete_piwik_logs_initial')) {
                // As the real one: the first run only notes that there was one.
                Option::set('lastDelete_piwik_logs_initial', 1);
            } elseif ($settings['delete_logs_enable']) {
                $days = $settings['delete_logs_older_than'];
                $old = "(SELECT idvisit FROM " . Common::prefixTable('log_visit') .
                    " WHERE visit_last_action_time < UTC_TIMESTAMP() - INTERVAL $days DAY)";
                foreach (['log_link_visit_action', 'log_visit'] as $table) {
                    Db::query('DELETE FROM ' . Common::prefixTable($table) . " WHERE idvisit IN (SELECT * FROM $old AS old)");
                }
            }
        }

        /** Removes visits with all that they saw. */
        public static function deleteDataSubjects(array $visits): array
        {
            $deleted = [];
            foreach (['log_link_visit_action', 'log_visit'] as $table) {
                foreach ($visits as ['idsite' => $site, 'idvisit' => $visit]) {
                    Db::query('DELETE FROM ' . Common::prefixTable($table) . ' WHERE idsite = ? AND idvisit = ?', [$site, $visit]);
                    $deleted[$table] = ($deleted[$table] ?? 0) + 1;
                }
            }
            return $deleted;
        }

        /** An address as it is stored: so many bytes of it masked, and as many steps of an IPv6 one. */
        public static function anonymized(string $address): string
        {
            $config = new Config();
            if (!$config->ipAnonymizerEnabled) {
                return $address;
            }
            $mask = $config->ipAddressMaskLength;
            $kept = strlen($address) === 4 ? 4 - $mask : [16, 8, 6, 3, 0][$mask];
            return str_pad(substr($address, 0, $kept), strlen($address), "\0");
        }
    }
}
