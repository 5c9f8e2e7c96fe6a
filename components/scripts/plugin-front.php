<?php
/**
 * Tells a plugin's own front file where Matomo is. It would look in the folder above plugins/, and on
 * the volume that is the state, where an adopted site even has its old code.
 *
 * Run by:  Apache in the web pod as www-data (33), before such a file alone (apache.conf).
 */
define('PIWIK_INCLUDE_PATH', '/var/www/html');
