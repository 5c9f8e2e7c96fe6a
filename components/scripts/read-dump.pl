#!/usr/bin/env perl
# Reads what mariadb-dump wrote (standard input), for a proof and a restore alike (backup-lib.sh).
#
# Prints tables and their rows. With a prefix: under names of that prefix and a number, beside what is
# there. Without: all that a second dump of the same tables has in common with this one. What is no table
# goes to a file, as the site's user's own, who may define in nobody else's name.
#
# mariadb-dump begins each statement and each row on a line of its own, and writes the end of a line in a
# row, a default or a comment as \n; only in what stands between two DELIMITERs are a person's own lines.
# A row may have 32 MB, and the pod has 256Mi: rows go through in pieces. Perl, which every Debian has,
# reads so; awk and sed hold whole lines.
#
# Run by:    backup-lib.sh; image mariadb
# Arguments: the line between tables and definitions (dumps of an older program have none), and then, or
#            not: the prefix; a file with a name a line, whose line's number a table gets, and which gets
#            the names that it does not have; the file for the definitions
# Exit:      0 read; 1 not, or, with a prefix, a dump that has no end
use strict;
use warnings;

my ($separator, $prefix, $names, $definitions) = @ARGV;
my $beside = defined $prefix;
my $name_pattern = qr/`(?:[^`]++|``)++`/;
my $account = qr/`(?:[^`]++|``)*+`(?:\@`(?:[^`]++|``)*+`)?/;
my $piece = 65536;

my (%number, $last, $new_names, $defined);
$last = 0;
if ($beside) {
    if (open(my $known, '<', $names)) {
        while (my $name = <$known>) {
            chomp $name;
            $number{$name} = ++$last;
        }
    }
    open($new_names, '>>', $names) or die "$names: $!\n";
    open($defined, '>', $definitions) or die "$definitions: $!\n";
    print $defined "/*M!999999\\- enable the sandbox mode */\n";
    print $defined "SET NAMES utf8mb4; SET SESSION sql_mode = '';\n";
}

my ($buffer, $ended) = ('', 0);
# The next line, its end with it; of a longer one the next piece.
sub next_piece {
    my $end;
    until (($end = index($buffer, "\n")) >= 0 || length($buffer) >= $piece || $ended) {
        my $read = sysread(STDIN, $buffer, $piece, length $buffer) // die "the dump cannot be read: $!\n";
        $ended = 1 if $read == 0;
    }
    return substr($buffer, 0, $end >= 0 ? $end + 1 : length $buffer, '');
}
sub has_end { return substr($_[0], -1) eq "\n" || $_[0] eq '' }
sub pass_rest {
    my $line = shift;
    until (has_end($line)) {
        $line = next_piece();
        print $line;
    }
}
# A name without its quotes, and what follows it.
sub named {
    my ($name, $after) = $_[0] =~ /^($name_pattern)(.*)$/s;
    $name = substr($name, 1, -1);
    $name =~ s/``/`/g;
    return ($name, $after);
}
sub place {
    my $name = shift;
    if (!exists $number{$name}) {
        $number{$name} = ++$last;
        print $new_names "$name\n";
    }
    return "`$prefix$number{$name}`";
}

my ($rest, $block, $unended, $whole, $count, $first) = (0, 0, 0, 0, 0, 0);
while ((my $line = next_piece()) ne '') {
    $count++;
    my $in_tables = !$rest && !$block && !$unended;
    if ($in_tables && substr($line, 0, 1) eq '(') {
        print $line;
        pass_rest($line);
        next;
    }
    my $is_row = $in_tables && !has_end($line) && $line =~ /^INSERT INTO `/;
    until ($is_row || has_end($line)) {
        my $more = next_piece();
        last if $more eq '';
        $line .= $more;
    }
    chomp(my $text = $line);

    $rest = 1 if $text eq $separator && !$block;
    if ($text =~ /^DELIMITER ;;/) {
        $block = 1;
        $first = $count + 1;
    }
    $unended = 1 if !$rest && !$block && $text =~ m{^/\*!(?:50001|50003|50013|50032|50106|50117) };
    if ($rest || $block || $unended) {
        $text =~ s/^CREATE DEFINER=$account/CREATE/ if $count == $first;
        $text =~ s{^(/\*!50013 |/\*!50003 CREATE\*/ /\*!50017 |/\*!50106 CREATE\*/ /\*!50117 )DEFINER=(?:$account)?}{$1};
        print $defined "$text\n" if $beside;
        $unended = 0 if $text =~ m{\*/ ?;*$};
        $block = 0 if $text eq 'DELIMITER ;';
        next;
    }
    $whole = 1 if $text =~ /^-- Dump completed/;
    next if !$beside && $text =~ /^--/;
    # A constraint has one name in the whole database: it gets the one that its table gives it.
    if ($text =~ /^  (?:CONSTRAINT $name_pattern )?(FOREIGN KEY \((?:$name_pattern(?:, )?)+\) REFERENCES )(`.*)$/s) {
        my ($head, $target) = ($1, $2);
        my ($name, $after) = named($target);
        my $is_ours = $beside && exists $number{$name} && $after !~ /^\./;
        $text = "  $head" . ($is_ours ? place($name) . $after : $target);
    }
    if ($beside) {
        # Nothing of that name is there.
        next if $text =~ /^DROP (?:TABLE|SEQUENCE) IF EXISTS `/;
        if ($text =~ m{^((?:CREATE TABLE|CREATE SEQUENCE|LOCK TABLES|INSERT INTO|/\*!40000 ALTER TABLE) |(?:DO|SELECT) SETVAL\()(`.*)$}s) {
            my $head = $1;
            my ($name, $after) = named($2);
            $text = $head . place($name) . $after;
        }
    }
    print $text, $is_row ? '' : "\n";
    pass_rest($line) if $is_row;
}
for my $file ($new_names, $defined) {
    close($file) or die "$!\n" if $file;
}
close(STDOUT) or die "$!\n";
die "the dump has no end\n" if $beside && !$whole;
