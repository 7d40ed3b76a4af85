package Cqrs::Wait;

# Waits for a condition instead of sleeping.
#
#   wait_until { $vhost->queue_depth('q') == 0 } 10, 'the queue is empty';
#
# Returns what the condition returned; dies when the time is up.

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(wait_until);

use constant POLL => 0.02;

sub wait_until(&$;$) {
    my ($condition, $timeout, $what) = @_;

    my $end = time + $timeout;
    while (1) {
        my $value = $condition->();
        return $value if $value;

        croak "waited $timeout s in vain for " . ($what // 'a condition')
            if time > $end;
        sleep POLL;
    }
}

1;
