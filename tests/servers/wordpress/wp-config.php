<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:' . getenv('TEST_DB_SOCKET'));
define('DB_CHARSET', 'utf8mb4');
define('WP_HOME', 'http://' . $_SERVER['HTTP_HOST']);
define('WP_SITEURL', WP_HOME);
// No request of its own: neither timed work nor updates.
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_CONTENT_DIR', __DIR__ . '/wp-content');
$table_prefix = 'wp_';
if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
// No emoji pictures from WordPress' own host: the tests reach this machine only.
$wp_filter = ['wp_head' => [6 => [[
    'accepted_args' => 0,
    'function' => function () { remove_action('wp_head', 'print_emoji_detection_script', 7); },
]]]];
require_once ABSPATH . 'wp-settings.php';
