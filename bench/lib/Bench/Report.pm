package Bench::Report;

# Rounds become medians, medians a table, and everything a JSON file.

use v5.36;
use JSON ();
use List::Util qw(max min);


# A row says what is compared:
#   { what, of, ours, floor, better }
# where "of" is the name of a number in a variant's results (of the floor's,
# "floor_of", if that has another), "ours" and "floor" name variants, and
# "better" is "more" or "less".
sub rows($groups, $results) {
    my @rows;

    for my $i (0 .. $#$groups) {
        my $group = $groups->[$i];

        for my $row (@{ $group->{rows} }) {
            my @ours  = _values($results->[$i], $row, 'ours');
            my @floor = _values($results->[$i], $row, 'floor');
            my @ratio = map { $floor[$_] ? $ours[$_] / $floor[$_] : () }
                0 .. min($#ours, $#floor);

            push @rows, {
                %$row,
                group       => $group->{name},
                ours_value  => median(@ours),
                floor_value => median(@floor),
                ratio       => median(@ratio),
                lowest      => min(@ratio),
                highest     => max(@ratio),
            };
        }
    }

    return \@rows;
}


sub _values($results, $row, $side) {
    my $variant = $row->{$side} // return;

    my $of = $row->{"${side}_of"} // $row->{of};

    return grep { defined } map { $_->{$of} } @{ $results->{$variant} // [] };
}


sub median(@values) {
    @values or return;
    my @sorted = sort { $a <=> $b } @values;

    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}


sub table($rows) {
    my @lines = ([ 'path', 'what', 'ours', 'floor', 'ratio', 'spread', 'the floor is' ]);

    for my $row (@$rows) {
        push @lines, [
            $row->{group},
            "$row->{what}" . ($row->{better} eq 'more' ? ' (more is better)' : ''),
            _number($row->{ours_value}),
            _number($row->{floor_value}),
            defined $row->{ratio} ? sprintf('%.2f', $row->{ratio}) : '-',
            defined $row->{lowest}
                ? sprintf('%.2f-%.2f', $row->{lowest}, $row->{highest}) : '-',
            $row->{floor} // '-',
        ];
    }

    my @width = map { my $i = $_; max map { length $_->[$i] } @lines } 0 .. 6;
    my $format = "%-$width[0]s  %-$width[1]s  %$width[2]s  %$width[3]s"
               . "  %$width[4]s  %$width[5]s  %s\n";

    return join '', map { sprintf $format, @$_ } @lines;
}


sub _number($value) {
    return !defined $value ? '-'
        : $value >= 1000   ? commas(sprintf '%.0f', $value)
        : $value >= 100    ? sprintf('%.0f', $value)
        :                    sprintf('%.1f', $value);
}


sub commas($text) {
    return scalar reverse((reverse $text) =~ s/(\d{3})(?=\d)/$1,/gr);
}


sub write_json($file, $content) {
    open my $out, '>', $file or die "cannot write $file: $!\n";
    print $out JSON->new->pretty->canonical->encode($content);
    close $out or die "cannot write $file: $!\n";

    return;
}


1;
