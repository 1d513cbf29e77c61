<?php
// Fills an empty database with a small blog and prints what is where as JSON.
define('WP_INSTALLING', true);
$_SERVER += ['HTTP_HOST' => '127.0.0.1', 'SERVER_PROTOCOL' => 'HTTP/1.1',
             'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/'];
require getcwd() . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
function wp_mail($to, $subject, $message, $headers = '', $attachments = []) { return true; }
wp_install('Testblog', 'redactie', 'redactie@example.com', true, '', 'alleen-voor-de-test');
switch_theme('twentytwentyone');
update_option('show_avatars', 0);  // they come from a host of their maker
update_option('permalink_structure', '/%year%/%postname%/');
global $wp_rewrite;
$wp_rewrite->init();
$wp_rewrite->flush_rules(true);

function post(array $given): int {
    return wp_insert_post($given + ['post_status' => 'publish', 'post_author' => 1]);
}
function answer(array $given): int {
    return wp_insert_comment($given + ['comment_author' => 'Anoniem', 'comment_approved' => 1]);
}

$post = post(['post_title' => 'Een bericht met ë', 'post_content' => '<p>Eerste versie</p>']);
wp_update_post(['ID' => $post, 'post_content' => '<p>Tweede versie 🚲 &amp; meer</p>']);
$picture = base64_decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=');
$file = wp_upload_bits('deur.png', null, $picture);
$attachment = wp_insert_attachment(
    ['post_title' => 'deur', 'post_mime_type' => 'image/png', 'post_status' => 'inherit'],
    $file['file'], $post);
update_post_meta($attachment, '_wp_attachment_image_alt', 'een deur');
set_post_thumbnail($post, $attachment);
$comment = answer(['comment_post_ID' => $post, 'comment_content' => 'Zij krijgt nog bezoek']);
for ($i = 0; $i < 105; $i++) {
    answer(['comment_post_ID' => $post, 'comment_parent' => $comment,
            'comment_content' => "antwoord $i", 'comment_author' => "p$i"]);
}
$deep = answer(['comment_post_ID' => $post, 'comment_parent' => $comment + 1,
                'comment_content' => 'antwoord op een antwoord']);
$held = answer(['comment_post_ID' => $post, 'comment_content' => 'nog niet', 'comment_approved' => 0]);
$page = post(['post_title' => 'Contact', 'post_content' => '<p>Waar wij zijn</p>', 'post_type' => 'page']);
$trashed = post(['post_title' => 'weg', 'post_content' => 'weg']);
wp_trash_post($trashed);
$private = post(['post_title' => 'besloten', 'post_content' => 'x', 'post_status' => 'private']);
$locked = post(['post_title' => 'slot', 'post_content' => 'binnen', 'post_password' => 'sleutel']);
$path = fn($id) => parse_url(get_permalink($id), PHP_URL_PATH);
echo json_encode([
    'post' => $post, 'post_path' => $path($post), 'comment' => $comment, 'deep' => $deep,
    'held' => $held, 'page' => $page, 'page_path' => $path($page), 'trashed' => $trashed,
    'private' => $private, 'locked_path' => $path($locked),
    'unknown' => 999999, 'picture' => base64_encode($picture),
]), "\n";
