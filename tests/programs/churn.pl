use strict;
my (%words, @lines);
my $x = 1;
for my $i (1 .. 200000) {
    $x = ($x * 1103515245 + 12345) % 2147483648;
    my $word = sprintf("w%d", $x % 30011);
    push @{$words{$word}}, $i;
    push @lines, "$word " . ("." x ($x % 200)) if $i % 10 == 0;
}
my $text = join("\n", sort @lines);
(my $changed = $text) =~ s/w(\d+) (\.+)/length($2) . "-$1"/ge;
my $sum = 0;
$sum += $_ for map { scalar @{$words{$_}} * length } sort keys %words;
print scalar(keys %words), " $sum ", length($text), " ", length($changed), " ", unpack("%32C*", $changed), "\n";
my $pid = fork();
if (!$pid) { delete $words{$_} for sort keys %words; exit 3; }
waitpid($pid, 0);
print $? >> 8, "\n";
