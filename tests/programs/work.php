<?php
// Work for several extensions, each of which is a plug-in that takes blocks from PHP and gives it some. Prints the same
// whenever it runs.
function lines(int $count): array {
    $state = 42;
    $lines = [];
    for ($i = 0; $i < $count; $i++) {
        $state = ($state * 1103515245 + 12345) & 0x7fffffff;
        $lines[] = sprintf('line %d: %s', $i, str_repeat(chr(97 + $state % 26), $state % 90));
    }
    return $lines;
}

$lines = lines(1000);
$text = implode("\n", $lines);
echo 'text ', strlen($text), ' ', hash('sha256', $text), "\n";

$latin = iconv('UTF-8', 'UTF-16LE', $text);
echo 'iconv ', strlen($latin), ' ', md5($latin), ' ', iconv('UTF-16LE', 'UTF-8', $latin) === $text ? 'same' : 'other', "\n";
ob_start('ob_iconv_handler');
echo 'buffered ', iconv_strlen("\u{e4}\u{f6}\u{fc}"), "\n";
ob_end_flush();

$finfo = finfo_open(FILEINFO_MIME_TYPE);
echo 'fileinfo ', finfo_buffer($finfo, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), ' ', finfo_buffer($finfo, $text), "\n";
finfo_close($finfo);

$tokens = token_get_all(str_repeat('<?php if ($a[1]) { echo "b $c"; } ?>', 200));
echo 'tokenizer ', count($tokens), ' ', md5(serialize($tokens)), "\n";

echo 'ctype ', ctype_alpha('abc') ? 'yes' : 'no', ' ', ctype_digit('12a') ? 'yes' : 'no', "\n";
echo 'calendar ', gregoriantojd(11, 28, 2026), ' ', jdtogregorian(2461373), "\n";
echo 'gettext ', gettext('untranslated'), "\n";
echo 'posix ', posix_getpid() > 0 ? 'process' : 'none', ' ', posix_strerror(2), "\n";
echo 'exif ', exif_tagname(0x010F), "\n";

if (function_exists('socket_create_pair') && socket_create_pair(AF_UNIX, SOCK_STREAM, 0, $pair)) {
    socket_write($pair[0], substr($text, 0, 4000));
    echo 'sockets ', md5(socket_read($pair[1], 4000)), "\n";
}

$archive = tempnam(sys_get_temp_dir(), 'slub') . '.tar';
$phar = new PharData($archive);
foreach (array_chunk($lines, 100) as $number => $chunk) {
    $phar->addFromString("part$number.txt", implode("\n", $chunk));
}
unset($phar);
$read = '';
foreach (new PharData($archive) as $file) $read .= md5_file($file->getPathname());
echo 'phar ', md5($read), "\n";
unlink($archive);
@unlink(substr($archive, 0, -4));

$words = preg_split('/[^a-z]+/', $text, -1, PREG_SPLIT_NO_EMPTY);
$counts = array_count_values($words);
ksort($counts);
echo 'pcre ', count($counts), ' ', md5(json_encode($counts)), "\n";
$object = json_decode(json_encode(['a' => $lines, 'b' => ['c' => array_fill(0, 500, 1.5)]]), true);
echo 'json ', md5(serialize($object)), "\n";
$packed = gzcompress($text, 6);
echo 'zlib ', gzuncompress($packed) === $text ? 'same' : 'other', "\n";
$date = new DateTime('2026-11-28 12:00:00', new DateTimeZone('UTC'));
echo 'date ', $date->modify('+3 weeks')->format(DATE_RFC2822), "\n";
usort($words, fn ($a, $b) => strcmp($a, $b));
echo 'sorted ', md5(implode(' ', $words)), "\n";
