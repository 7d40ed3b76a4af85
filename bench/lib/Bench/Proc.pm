package Bench::Proc;

# What /proc tells: CPU time of whole process trees, memory, the machine.

use v5.36;
use POSIX qw(sysconf _SC_CLK_TCK strftime);


# Begins to measure, and returns what ends it: the seconds of CPU that each of
# these (name => process), its descendants and those it has waited for have used
# in between.
sub meter(%roots) {
    my $before = _cpu(%roots);

    return sub {
        my $after = _cpu(%roots);
        return { map { $_ => $after->{$_} - $before->{$_} } keys %roots };
    };
}


sub _cpu(%roots) {
    my (%children, %ticks, %seconds);

    for my $file (glob '/proc/[0-9]*/stat') {
        my $text = _read($file) // next;               # it has just ended
        my ($pid, $rest) = $text =~ /^(\d+) \(.*\) (.*)/s or next;
        my @field = split ' ', $rest;                  # from the 3rd on

        push @{ $children{$field[1]} }, $pid;
        $ticks{$pid} = $field[11] + $field[12] + $field[13] + $field[14];
    }

    for my $name (keys %roots) {
        my @todo = $roots{$name};

        while (defined(my $pid = shift @todo)) {
            $seconds{$name} += ($ticks{$pid} // 0) / sysconf(_SC_CLK_TCK);
            push @todo, @{ $children{$pid} // [] };
        }
    }

    return \%seconds;
}


# Bytes of a process' own memory: neither files nor what is shared.
sub memory($pid) {
    my $text = _read("/proc/$pid/status") // die "process $pid is gone\n";
    my ($kilobytes) = $text =~ /^RssAnon:\s+(\d+) kB/m
        or die "no RssAnon of process $pid\n";

    return $kilobytes * 1024;
}


sub parent($pid) {
    my $text = _read("/proc/$pid/status") // die "process $pid is gone\n";
    my ($parent) = $text =~ /^PPid:\s+(\d+)/m;

    return $parent;
}


sub machine() {
    my $cpu = _read('/proc/cpuinfo') // '';
    my ($model)  = $cpu =~ /^model name\s*:\s*(.*)/m;
    my ($memory) = (_read('/proc/meminfo') // '') =~ /^MemTotal:\s+(\d+)/m;
    my ($load)   = (_read('/proc/loadavg') // '') =~ /^(\S+)/;

    return {
        date   => strftime('%Y-%m-%d %H:%M', gmtime) . ' UTC',
        cores  => scalar(() = $cpu =~ /^processor\s*:/mg),
        model  => $model // 'unknown',
        memory => int(($memory // 0) / 1024 / 1024 + 0.5) . ' GB',
        load   => $load // 'unknown',
    };
}


sub _read($file) {
    open my $in, '<', $file or return;
    local $/;

    return scalar <$in>;
}


1;
