package Test::Nginx::Socket;

# A small reader of the test format that the CPAN module of this name defines,
# for machines where it is not installed.  It knows the sections below and
# refuses any other, so that a file never passes because a check was skipped.
#
# Each block starts an nginx of its own, by Cqrs::Nginx: one that leaves an
# alert in the error log fails, whatever the block says.

use Test::Base -Base;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

use Cqrs::Nginx;

our @EXPORT = qw(
    add_block_preprocessor check_accum_error_log log_level master_on
    no_long_string no_root_location no_shuffle repeat_each run_tests server_port
    server_root timeout worker_connections workers
);

my %known = map { $_ => 1 } qw(
    abort config error_code error_code_like error_log http_config
    ignore_response init log_level main_config more_headers must_die
    no_error_log raw_request raw_response_headers_like
    raw_response_headers_unlike request response_body response_body_like
    response_body_unlike response_headers response_headers_like shutdown timeout
    wait LAST ONLY SKIP
);

my %setting = (
    repeat_each => 1,
    workers     => 1,
    timeout     => 3,
    log_level   => 'debug',
    root        => 1,
);

my (@preprocessors, $accumulate, %config);

# A block gives lists; what takes one of its sections wants a scalar.

sub run_block($);
sub nginx_of($);
sub expanded($);
sub chomped($);
sub check_death($$);
sub check_requests($$);
sub one_of($$);
sub built($$);
sub talk($$);
sub seconds($);
sub is_whole($$);
sub is_head($);
sub check_answer($$$);
sub check_fields($$$$);
sub unchunked($);
sub check_log($$;$);
sub one_of_patterns($$);
sub patterns($);
sub has_line($$);
sub expected_alerts($);


# The declarations of a test file.

sub repeat_each(;$) {
    $setting{repeat_each} = shift if @_;
    return $setting{repeat_each};
}

sub workers($)         { $setting{workers} = shift }
sub timeout($)         { $setting{timeout} = shift }
sub log_level($)       { $setting{log_level} = shift }
sub no_root_location() { $setting{root} = 0 }

sub check_accum_error_log()   { $accumulate = 1 }
sub add_block_preprocessor(&) { push @preprocessors, shift }

sub server_port() { return $ENV{TEST_NGINX_PORT} }
sub server_root() { return $ENV{TEST_NGINX_SERVROOT} }

# How failures are shown and in which order blocks run is always so here.

sub no_long_string()        { }
sub no_shuffle()            { }
sub master_on()             { }
sub worker_connections(;$)  { }


sub run_tests() {
    for my $block (blocks()) {
        $_->($block) for @preprocessors;
        run_block($block);
    }
}

sub run_block($) {
    my ($block) = @_;
    my $name = $block->name;

    for my $section (@{ $block->{_section_order}[0] || [] }) {
        die "$name: the section $section needs the CPAN module Test::Nginx\n"
            unless $known{$section};
    }
    eval $block->init . "; 1" || die "$name - init: $@" if defined $block->init;

    my $nginx = nginx_of($block);
    if (defined $block->must_die) {
        check_death($block, $nginx) for 1 .. $setting{repeat_each};
        return;
    }

    $nginx->start;
    check_requests($block, $nginx) for 1 .. $setting{repeat_each};
    $nginx->stop(allow => expected_alerts($block));
}

sub nginx_of($) {
    my ($block) = @_;

    # A block without a config section goes on with the configuration of the
    # block before.
    if (defined $block->config) {
        %config = map { $_ => expanded($block->$_) } qw(main_config http_config config);
    } elsif (defined $block->http_config || defined $block->main_config) {
        die $block->name . ": there is no config section beside it, so it is not used\n";
    }
    my $root = $setting{root} ? "location / { root %DIR%/html; index index.html; }" : '';

    my $nginx = Cqrs::Nginx->new(
        workers   => $setting{workers},
        log_level => chomped($block->log_level // $setting{log_level}),
        ports     => { 1 => server_port() },
        main      => $config{main_config},
        http      => $config{http_config} . <<"SERVER",
server {
    listen 127.0.0.1:%PORT%;
    server_name localhost;
    client_max_body_size 30M;
$config{config}
    $root
}
SERVER
    );

    mkdir $nginx->dir . '/html';
    Cqrs::Paths::spew($nginx->dir . '/html/index.html', "It works!\n");

    return $nginx;
}

sub expanded($) {
    my ($text) = @_;

    $text //= '';
    $text =~ s/\$(TEST_NGINX_\w+)/$ENV{$1} \/\/ die "\$$1 is not set\n"/ge;

    return $text;
}

sub chomped($) {
    my ($text) = @_;

    $text =~ s/\A\s+|\s+\z//g;

    return $text;
}

sub check_death($$) {
    my ($block, $nginx) = @_;

    my ($status, $output) = $nginx->test_config;
    ok($status != 0, $block->name . ' - nginx refuses to start');
    check_log($block, $output . $nginx->log);
}


# Requests, one after the other; several are given as an array.

sub check_requests($$) {
    my ($block, $nginx) = @_;

    my $raw = $block->raw_request;
    my $spec = $raw // $block->request;
    die $block->name . ": there is no request section\n"
        unless defined $spec;
    my @requests = !defined $raw && ref $spec ? @$spec : $spec;

    for my $i (0 .. $#requests) {
        my $from = $accumulate ? 0 : length $nginx->log;
        my $headers = one_of($block->more_headers, $i) // '';
        my $answer = talk($block, defined $raw ? $raw : built($requests[$i], $headers));

        sleep(chomped($block->wait)) if defined $block->wait;
        check_answer($block, $i, $answer) unless defined $block->ignore_response;
        check_log($block, sub { substr $nginx->log, $from }, $i);
    }
}

sub one_of($$) {
    my ($value, $i) = @_;

    return ref $value eq 'ARRAY' ? $value->[$i] : $value;
}

# The request as a list of packets.
sub built($$) {
    my ($spec, $headers) = @_;

    my @packets = ref $spec ? @$spec : $spec;
    my ($first, @rest) = map { ref $_ ? $_ : { value => $_ } } @packets;

    my $text = $first->{value};
    $text =~ s/\A(\s*\#[^\n]*\n)+//;
    $text =~ s/\A\s*([^\n]*?)\s*(?:\n|\z)// or die "no request line\n";
    my ($method, $path, $version) = split ' ', $1;
    $text =~ s/\n\z// unless @rest;

    my $length = 0;
    $length += length $_->{value} for @rest;
    $length += length $text;

    my $lines = join '', map { "$_\r\n" } grep { length } split /\r?\n/, $headers;
    $lines = "Host: localhost\r\n$lines" unless $lines =~ /^Host:/mi;
    $lines .= "Connection: close\r\n" unless $lines =~ /^Connection:/mi;
    $lines .= "Content-Length: $length\r\n"
        if $length && $lines !~ /^(Content-Length|Transfer-Encoding):/mi;

    my $head = join ' ', $method, $path // '/', $version // 'HTTP/1.1';

    return [ { value => "$head\r\n$lines\r\n$text" }, @rest ];
}

# Sends the packets and reads to the end.  Returns what came and whether time
# was up.
sub talk($$) {
    my ($block, $packets) = @_;

    my $timeout = seconds($block->timeout // $setting{timeout});
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => server_port())
        or die "cannot connect: $@";
    local $SIG{PIPE} = 'IGNORE';

    for (ref $packets ? @$packets : $packets) {
        my $packet = ref $_ ? $_ : { value => $_ };
        sleep($packet->{delay_before}) if $packet->{delay_before};
        $socket->syswrite($packet->{value});
    }
    $socket->shutdown(chomped($block->shutdown) || 1) if defined $block->shutdown;

    my $bytes = '';
    while (1) {
        if (!IO::Select->new($socket)->can_read($timeout)) {
            return { bytes => $bytes, late => 1 };
        }
        last unless $socket->sysread($bytes, 65536, length $bytes);
        last if is_whole($bytes, $packets);
    }

    return { bytes => $bytes };
}

sub seconds($) {
    my ($text) = @_;

    my ($number, $unit) = $text =~ /\A\s*([\d.]+)\s*(ms|s)?\s*\z/
        or die "this is no time: $text\n";

    return ($unit // 's') eq 'ms' ? $number / 1000 : $number;
}

# The server keeps a connection open that asked for it.
sub is_whole($$) {
    my ($bytes, $packets) = @_;

    my ($head, $body) = $bytes =~ /\A(.*?\r\n)\r\n(.*)\z/s or return 0;
    return $body =~ /^0\r\n\r\n\z/m if $head =~ /^Transfer-Encoding: *chunked/mi;
    return length $body >= $1       if $head =~ /^Content-Length: *(\d+)/mi
        && !is_head($packets);

    return $head =~ m{\AHTTP/1.1 (101|204|304)} || is_head($packets);
}

sub is_head($) {
    my ($packets) = @_;

    my $first = ref $packets ? $packets->[0] : $packets;

    return (ref $first ? $first->{value} : $first) =~ /\AHEAD /;
}


# Checks.

sub check_answer($$$) {
    my ($block, $i, $answer) = @_;
    my $name = $block->name;

    if ($answer->{late} && !defined $block->abort) {
        fail("ERROR: client socket timed out - $name");
    }

    my ($head, $body) = split /\r\n\r\n/, $answer->{bytes}, 2;
    $head = defined $body ? "$head\r\n" : '';
    $body //= '';
    my ($status) = $answer->{bytes} =~ m{\AHTTP/\d\.\d (\d+)};
    $body = unchunked($body) if $head =~ /^Transfer-Encoding: *chunked/mi;

    if (defined $block->error_code_like) {
        like($status // '', qr/${\chomped(one_of($block->error_code_like, $i))}/,
            "$name - status code ok");
    } else {
        is($status // '', chomped(one_of($block->error_code, $i) // 200),
            "$name - status code ok");
    }

    my %fields;
    push @{ $fields{ lc $1 } }, $2 while $head =~ /^([^:\r\n]+): *(.*?)\r$/mg;
    check_fields($name, \%fields, one_of($block->response_headers, $i), 0);
    check_fields($name, \%fields, one_of($block->response_headers_like, $i), 1);

    my %pattern = map { $_ => one_of($block->$_, $i) } qw(raw_response_headers_like
        raw_response_headers_unlike response_body_like response_body_unlike);
    for my $kind (sort grep { defined $pattern{$_} } keys %pattern) {
        my $what = $kind =~ /^raw/ ? $head : $body;
        (my $regex = $pattern{$kind}) =~ s/\n\z// unless ref $pattern{$kind};
        $regex = $pattern{$kind} if ref $pattern{$kind};
        $kind =~ /unlike$/ ? unlike($what, qr/$regex/s, "$name - $kind")
                           : like($what, qr/$regex/s, "$name - $kind");
    }

    my $expected = one_of($block->response_body, $i);
    is($body, $expected, "$name - response_body - response is expected")
        if defined $expected;
}

sub check_fields($$$$) {
    my ($name, $fields, $expected, $like) = @_;

    for (split /\r?\n/, $expected // '') {
        next unless /\S/;
        if (/^\s*!\s*(\S+)/) {
            ok(!$fields->{ lc $1 }, "$name - header $1 not present");
            next;
        }

        my ($field, $value) = /^\s*([^:]+):\s*(.*?)\s*$/
            or die "$name: this is no header: $_\n";
        my $found = join ', ', @{ $fields->{ lc $field } || [] };
        $like ? like($found, qr/^(?:$value)$/, "$name - header $field like")
              : is($found, $value, "$name - header $field ok");
    }
}

sub unchunked($) {
    my ($bytes) = @_;

    my $body = '';
    while ($bytes =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $length = hex $1 or last;
        $body .= substr $bytes, 0, $length, '';
        $bytes =~ s/\A\r\n//;
    }

    return $body;
}

# The log of an answer may be written a moment after it: what must be there is
# awaited.
sub check_log($$;$) {
    my ($block, $log, $i) = @_;
    my $name = $block->name;

    my @wanted = patterns(one_of_patterns($block->error_log, $i));
    my $end = time + 2;
    my $text;
    while (1) {
        $text = ref $log ? $log->() : $log;
        last if !ref $log || time > $end;
        last unless grep { !has_line($text, $_) } @wanted;
        sleep 0.02;
    }

    for my $pattern (@wanted) {
        ok(has_line($text, $pattern), "$name - pattern \"$pattern\" matches a line in error.log")
            or diag($text);
    }
    for my $pattern (patterns(one_of_patterns($block->no_error_log, $i))) {
        ok(!has_line($text, $pattern),
            "$name - pattern \"$pattern\" should not match any line in error.log")
            or diag(grep { has_line($_, $pattern) } split /^/, $text);
    }
}

# [[...], [...]] is a list for each request, [...] one for all.
sub one_of_patterns($$) {
    my ($value, $i) = @_;

    return ref $value eq 'ARRAY' && ref $value->[0] eq 'ARRAY' ? $value->[ $i // 0 ] : $value;
}

sub patterns($) {
    my ($value) = @_;

    return () unless defined $value;

    return ref $value eq 'ARRAY' ? @$value
        : ref $value ? $value
        : grep { /\S/ } split /\n/, $value;
}

sub has_line($$) {
    my ($text, $pattern) = @_;

    return ref $pattern ? scalar grep({ $_ =~ $pattern } split /\n/, $text)
                        : index($text, $pattern) >= 0;
}

sub expected_alerts($) {
    my ($block) = @_;

    my @patterns = map { ref $_ ? $_ : quotemeta } patterns($block->error_log);

    return @patterns ? qr/${\join '|', @patterns}/ : undef;
}

1;
