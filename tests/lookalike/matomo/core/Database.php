<?php
/** The database and its schema: the tables of the real one that tests look at, with its columns. */

namespace Piwik;

final class Db
{
    private static ?\PDO $pdo = null;

    public static function get(): \PDO
    {
        if (self::$pdo === null) {
            $config = Config::getInstance()->database;
            self::$pdo = new \PDO(
                "mysql:host={$config['host']};port={$config['port']};dbname={$config['dbname']};charset={$config['charset']}",
                $config['username'],
                $config['password'],
                [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]
            );
            if (self::knowsCollations()) {
                $collate = empty($config['collation']) ? '' : " COLLATE '{$config['collation']}'";
                self::$pdo->exec("SET NAMES '{$config['charset']}'$collate");
            } elseif ($config['schema'] !== 'Mysql') {
                throw new \Error("Class \"Piwik\\Db\\Schema\\{$config['schema']}\" not found");
            }
        }
        return self::$pdo;
    }

    /** Since 5.2, as it knows a schema of its own for MariaDB. */
    public static function knowsCollations(): bool
    {
        return version_compare(Version::VERSION, '5.2.0', '>=');
    }

    /** How a table is to be made. */
    public static function tableOptions(): string
    {
        $config = Config::getInstance()->database;
        $collate = self::knowsCollations() && !empty($config['collation']) ? " COLLATE={$config['collation']}" : '';
        return "ENGINE=InnoDB DEFAULT CHARSET={$config['charset']}$collate";
    }

    public static function query(string $sql, array $bind = []): \PDOStatement
    {
        $statement = self::get()->prepare($sql);
        $statement->execute($bind);
        return $statement;
    }

    public static function fetchOne(string $sql, array $bind = []): mixed
    {
        return self::query($sql, $bind)->fetchColumn();
    }

    public static function fetchAll(string $sql, array $bind = []): array
    {
        return self::query($sql, $bind)->fetchAll(\PDO::FETCH_ASSOC);
    }
}

final class Common
{
    public static function prefixTable(string $table): string
    {
        return Config::getInstance()->database['tables_prefix'] . $table;
    }
}

final class DbHelper
{
    /** Table name → columns. The order is the one in which they are made; a kill may fall between. */
    private const TABLES = [
        'access' => 'idaccess INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, login VARCHAR(100), idsite INT, access VARCHAR(50)',
        'site' => 'idsite INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(90) NOT NULL,
            main_url VARCHAR(255) NOT NULL, ts_created TIMESTAMP NULL, timezone VARCHAR(50) NOT NULL',
        'user' => 'login VARCHAR(100) PRIMARY KEY, password VARCHAR(255) NOT NULL, email VARCHAR(100) NOT NULL UNIQUE,
            superuser_access TINYINT UNSIGNED NOT NULL DEFAULT 0, date_registered TIMESTAMP NULL',
        'user_token_auth' => 'idusertokenauth BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
            login VARCHAR(100) NOT NULL, description VARCHAR(100) NOT NULL, password VARCHAR(191) NOT NULL UNIQUE,
            hash_algo VARCHAR(30) NOT NULL, system_token TINYINT NOT NULL DEFAULT 0, last_used DATETIME NULL,
            date_created DATETIME NOT NULL, date_expired DATETIME NULL, secure_only TINYINT NOT NULL DEFAULT 0',
        'option' => 'option_name VARCHAR(191) PRIMARY KEY, option_value LONGTEXT NOT NULL,
            autoload TINYINT NOT NULL DEFAULT 1',
        'log_visit' => 'idvisit BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, idsite INT UNSIGNED NOT NULL,
            idvisitor BINARY(8) NOT NULL, visit_last_action_time DATETIME NOT NULL,
            location_ip VARBINARY(16) NOT NULL, INDEX (idsite, visit_last_action_time)',
        'log_link_visit_action' => 'idlink_va BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
            idsite INT UNSIGNED NOT NULL, idvisit BIGINT UNSIGNED NOT NULL, url TEXT NOT NULL,
            server_time DATETIME NOT NULL',
        'session' => 'id VARCHAR(191) PRIMARY KEY, modified INT, lifetime INT, data MEDIUMTEXT',
    ];

    public static function getTablesInstalled(): array
    {
        $prefix = addcslashes(Config::getInstance()->database['tables_prefix'], '_%');
        return array_column(Db::query("SHOW TABLES LIKE '$prefix%'")->fetchAll(\PDO::FETCH_NUM), 0);
    }

    public static function tableExists(string $table): bool
    {
        return in_array($table, self::getTablesInstalled(), true);
    }

    public static function createTables(): void
    {
        $there = self::getTablesInstalled();
        foreach (self::TABLES as $name => $columns) {
            $table = Common::prefixTable($name);
            if (!in_array($table, $there, true)) {
                Db::query("CREATE TABLE `$table` ($columns) " . Db::tableOptions());
            }
        }
    }

    /** As in the real one, the token is a second insert that dies on a duplicate. */
    public static function createAnonymousUser(): void
    {
        Db::query('INSERT IGNORE INTO ' . Common::prefixTable('user') .
            " (login, password, email, date_registered) VALUES ('anonymous', '', 'anonymous@example.org', NOW())");
        (new Plugins\UsersManager\Model())->addTokenAuth('anonymous', 'anonymous', 'anonymous default token', gmdate('Y-m-d H:i:s'));
    }

    public static function recordInstallVersion(): void
    {
        if (!Option::get('install_version')) {
            Option::set('install_version', Version::VERSION);
        }
    }
}

final class Option
{
    public static function get(string $name): string|false
    {
        return Db::fetchOne('SELECT option_value FROM `' . Common::prefixTable('option') . '` WHERE option_name = ?', [$name]);
    }

    public static function set(string $name, mixed $value): void
    {
        Db::query('REPLACE INTO `' . Common::prefixTable('option') . '` (option_name, option_value) VALUES (?, ?)', [$name, (string) $value]);
    }

    public static function delete(string $name): void
    {
        Db::query('DELETE FROM `' . Common::prefixTable('option') . '` WHERE option_name = ?', [$name]);
    }
}

/** Files core/Updates/VERSION.php that are newer than what the database says, oldest first. */
final class Updater
{
    private const COLUMN = 'log_visit.referer_url';

    /** Notes core's version where there is none, before anything is made; columns have their own. */
    public function getComponentUpdates(): array
    {
        $current = Option::get('version_core');
        if (!$current) {
            $current = Version::VERSION;
            self::recordComponentSuccessfullyUpdated('core', $current);
        }
        $columns = Option::get('version_' . self::COLUMN) ? [] : [self::COLUMN => []];
        $versions = array_map(static fn ($file) => basename($file, '.php'), glob(PIWIK_INCLUDE_PATH . '/core/Updates/*.php'));
        usort($versions, 'version_compare');
        $versions = array_filter($versions, static fn ($version) => version_compare($version, $current, '>') &&
            version_compare($version, Version::VERSION, '<='));
        return ($versions ? ['core' => array_values($versions)] : []) + $columns;
    }

    public function updateComponents(array $components): array
    {
        foreach ($components['core'] ?? [] as $version) {
            require PIWIK_INCLUDE_PATH . "/core/Updates/$version.php";
            self::recordComponentSuccessfullyUpdated('core', $version);
        }
        if (isset($components[self::COLUMN])) {
            Db::query('ALTER TABLE ' . Common::prefixTable('log_visit') .
                " ADD COLUMN IF NOT EXISTS referer_url VARCHAR(1500) NOT NULL DEFAULT ''");
            self::recordComponentSuccessfullyUpdated(self::COLUMN, 'VARCHAR(1500) NOT NULL');
        }
        return ['coreError' => false, 'errors' => []];
    }

    public static function recordComponentSuccessfullyUpdated(string $component, string $version): void
    {
        Option::set("version_$component", $version);
    }
}

final class Date
{
    public static function now(): self
    {
        return new self();
    }

    public function getDatetime(): string
    {
        return gmdate('Y-m-d H:i:s');
    }
}
