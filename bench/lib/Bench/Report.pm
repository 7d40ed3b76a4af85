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
    return undef if !@values;              # in a list too
    my @sorted = sort { $a <=> $b } @values;

    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}


# By whom the CPU time of each variant was used, in us for each thing done.
sub shares($groups, $results) {
    my @names = qw(client nginx node consumer floor postgres rabbitmq redis);
    my @lines = ([ 'path', 'variant', @names ]);

    for my $i (0 .. $#$groups) {
        for my $variant (sort keys %{ $results->[$i] }) {
            my @runs = @{ $results->[$i]{$variant} };

            push @lines, [ "$groups->[$i]{name}, $groups->[$i]{of}", $variant, map {
                my $name = $_;
                _number(median(grep { defined } map { $_->{cpu_us_of}{$name} } @runs));
            } @names ];
        }
    }

    return _lines('llrrrrrrrr', @lines);
}


sub table($rows) {
    my @lines = ([ 'path', 'what', 'ours', 'floor', 'ratio', 'spread', 'the floor is' ]);

    for my $row (@$rows) {
        push @lines, [
            $row->{group},
            $row->{what} . ($row->{better} eq 'more' ? ' (more is better)' : ''),
            _number($row->{ours_value}),
            _number($row->{floor_value}),
            defined $row->{ratio} ? sprintf('%.2f', $row->{ratio}) : '-',
            defined $row->{lowest}
                ? sprintf('%.2f-%.2f', $row->{lowest}, $row->{highest}) : '-',
            $row->{floor} // '-',
        ];
    }

    return _lines('llrrrrl', @lines);
}


# Columns, to the left or to the right.
sub _lines($sides, @lines) {
    my $text = '';
    my @side = split //, $sides;
    my @width = map { my $i = $_; max map { length $_->[$i] } @lines } 0 .. $#side;

    for my $line (@lines) {
        my @cells = map {
            my $pad = ' ' x ($width[$_] - length $line->[$_]);
            $side[$_] eq 'l' ? $line->[$_] . $pad : $pad . $line->[$_];
        } 0 .. $#side;

        $text .= join('  ', @cells) =~ s/ +$//r . "\n";
    }

    return $text;
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
