<?php
/** Users, super users and tokens: sha512(token + salt), with tokens that no URL may carry. */

namespace Piwik {
    final class Access
    {
        private static bool $super = false;

        public static function doAsSuperUser(callable $work): mixed
        {
            $before = self::$super;
            self::$super = true;
            try {
                return $work();
            } finally {
                self::$super = $before;
            }
        }

        public static function checkSuperUser(): void
        {
            if (!self::$super) {
                throw new \RuntimeException("You can't access this resource as it requires 'superuser' access.");
            }
        }
    }
}

namespace Piwik\Plugins\UsersManager {
    use Piwik\Access;
    use Piwik\Common;
    use Piwik\Config;
    use Piwik\Db;

    final class Model
    {
        public function getUser(string $login): array|false
        {
            return Db::query('SELECT * FROM `' . Common::prefixTable('user') . '` WHERE login = ?', [$login])
                ->fetch(\PDO::FETCH_ASSOC);
        }

        public function getUsersHavingSuperUserAccess(): array
        {
            return Db::fetchAll('SELECT login, email FROM `' . Common::prefixTable('user') .
                '` WHERE superuser_access = 1 ORDER BY date_registered');
        }

        public function hashTokenAuth(string $token): string
        {
            return hash('sha512', $token . Config::getInstance()->General['salt']);
        }

        public function addTokenAuth(
            string $login,
            string $token,
            string $description,
            string $created,
            ?string $expires = null,
            bool $system = false,
            bool $secureOnly = false
        ): void {
            if (!$this->getUser($login)) {
                throw new \RuntimeException("User $login does not exist");
            }
            Db::query('INSERT INTO ' . Common::prefixTable('user_token_auth') .
                ' (login, description, password, hash_algo, system_token, date_created, date_expired, secure_only)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)', [$login, $description, $this->hashTokenAuth($token), 'sha512',
                (int) $system, $created, $expires, (int) $secureOnly]);
        }

        /** From the CLI and from a URL, a secure-only token is not seen. */
        public function getUserByTokenAuth(string $token, bool $fromPost = false): array|false
        {
            $row = Db::query('SELECT login, secure_only FROM ' . Common::prefixTable('user_token_auth') .
                ' WHERE password = ?', [$this->hashTokenAuth($token)])->fetch(\PDO::FETCH_ASSOC);
            return $row && ($fromPost || !$row['secure_only']) ? $this->getUser($row['login']) : false;
        }
    }

    final class UserUpdater
    {
        public function setSuperUserAccessWithoutCurrentPassword(string $login, bool $super): void
        {
            Access::checkSuperUser();
            Db::query('UPDATE `' . Common::prefixTable('user') . '` SET superuser_access = ? WHERE login = ?', [(int) $super, $login]);
        }
    }

    final class API
    {
        public static function getInstance(): self
        {
            return new self();
        }

        public function addUser(string $login, string $password, string $email): void
        {
            Access::checkSuperUser();
            if (strlen($password) < 6) {
                throw new \RuntimeException('The password length must be at least 6 characters.');
            }
            Db::query('INSERT INTO `' . Common::prefixTable('user') .
                '` (login, password, email, date_registered) VALUES (?, ?, ?, NOW())',
                [$login, password_hash(md5($password), PASSWORD_BCRYPT, ['cost' => 4]), $email]);
        }
    }
}
