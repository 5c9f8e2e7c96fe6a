<?php
/** The trap of incident 3: with `token=` instead of `token_auth=` a help text, and HTTP 200. */

if (!isset($_REQUEST['token_auth'])) {
    echo "<b>You must specify the Super User token_auth as a parameter to this script.</b>\n";
    exit;
}
$_REQUEST += ['module' => 'API', 'method' => 'CoreAdminHome.runCronArchiving', 'format' => 'console'];
require dirname(__DIR__, 2) . '/index.php';
