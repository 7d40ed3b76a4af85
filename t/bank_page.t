#!/usr/bin/perl

# The bank's page in a browser, against real servers: three windows of two
# users.  What a person would do is done, and what they should see is awaited.

use strict;
use warnings;
use utf8;

use File::Copy qw(copy);
use File::Temp qw(tempdir);
use JSON qw(decode_json encode_json);
use Test::More;

use Cqrs::Browser;
use Cqrs::Consumer;
use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Paths qw(root slurp spew);
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);


binmode $_, ":encoding(UTF-8)"
    for map { Test::More->builder->$_ } qw(output failure_output todo_output);

my $dir      = tempdir('cqrs-bank-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $pictures = $ENV{CQRS_SCREENSHOTS}
             // tempdir('cqrs-bank-page-XXXXXX', TMPDIR => 1);

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 4);
my $vhost    = $services->vhost;
my $redis    = $services->redis;

my $consumer = Cqrs::Consumer->start(database => $database, vhost => $vhost,
                                     redis => $redis);
my $nginx    = bank_nginx();
my $url      = $nginx->url;
my %token    = map { $_->{user} => $_->{token} }
               @{ decode_json(slurp("$dir/tokens.json")) };

my $browser  = Cqrs::Browser->start(screenshots => $pictures);


# The example's own configuration.  Its main part and temporary paths are
# Cqrs::Nginx's to say; what its workers read is copied to where they may.
sub bank_nginx {
    my $bank = root() . '/examples/bank';

    system("$bank/make-tokens", "$dir/jwt.key", "$dir/tokens.json",
           qw(alice bob carol)) == 0 or die "make-tokens failed\n";

    chmod 0755, $dir;
    mkdir "$dir/www";
    copy($_, "$dir/www") or die "$_: $!\n" for glob "$bank/www/*";

    my %value = (
        RUN          => $dir,
        HTTP_PORT    => '%PORT%',
        PG           => $database->conninfo('cqrs_reader'),
        AMQP         => $vhost->url,
        REDIS        => $redis->url,
        BANK         => $dir,
        JWT_KEY_FILE => "$dir/jwt.key",
    );

    my ($http) = slurp("$bank/nginx.conf") =~ /^http \{\n(.*)^\}\n/ms;

    $http =~ s/^\s*\w+_temp_path .*\n//mg;
    $http =~ s/%(\w+)%/$value{$1} \/\/ die "what is %$1%?\n"/ge;

    my $server = Cqrs::Nginx->new(http => $http, workers => 2);
    $server->start;
    return $server;
}


sub sign_in {
    my ($user) = @_;

    my $tab = $browser->open("$url/");

    $tab->wait_for("document.querySelector('.user[href=\"#$user\"]')");
    $tab->click(".user[href='#$user']");
    $tab->wait_text('#connection', qr/Live/);
    return $tab;
}


sub open_account {
    my ($tab, $name) = @_;

    $tab->wait_for("document.querySelector('.card.new')");
    $tab->click('.card.new');
    $tab->fill('#open-name', $name);
    $tab->click('#open-form button[type=submit]');
    return;
}


sub move {
    my ($tab, $type, $amount, $to) = @_;

    $tab->click("#move-form input[value=$type] + span");
    $tab->fill('#amount', $amount);

    if ($to) {
        $tab->wait_for("document.querySelector('#to option[value=\"$to\"]')");
        $tab->choose('#to', $to);
    }

    $tab->click('#move-form button[type=submit]');
    return;
}


# The id of the newest command of a kind, once it has come that far.
sub newest {
    my ($tab, $kind, $state) = @_;

    my $item = "#feed .item[data-kind=$kind]";

    $tab->wait_for("document.querySelector('$item')?.dataset.state === '$state'"
                   . " && document.querySelector('$item').dataset.command");
}


sub balance_is {
    my ($tab, $account, $balance, $title) = @_;

    my $text = eval {
        $tab->wait_text("[data-account='$account'] .balance",
                        qr/\A\Q$balance\E\z/);
    };
    is($text, $balance, $title) or diag $@;
    return;
}


# Remembers the states of the connection that the page shows from now on.
sub watch_connection {
    my ($tab) = @_;

    $tab->script(<<'JS');
        const pill = document.getElementById('connection');
        window.states = [];
        new MutationObserver(() => states.push(pill.dataset.state))
            .observe(pill, { attributeFilter: ['data-state'] });
JS
    return;
}


my $http = Cqrs::Http->new($nginx->port);
my $first = sign_in('alice');

# --- looks ---

my @nameless = @{ $first->script(<<'JS') };
    return Array.from(document.querySelectorAll('input, select'))
        .filter((field) => !field.labels.length).map((field) => field.id);
JS
is_deeply \@nameless, [], 'every field has a label';

my $second = sign_in('alice');
my $bob    = sign_in('bob');

like $bob->text('#greeting'), qr/Bob/, 'a tab says whose it is';


# --- commands and their notifications ---

open_account($first, 'Holiday');
open_account($bob, 'Holiday');

balance_is($first, 'alice-holiday', '€0.00', 'an opened account appears');
balance_is($second, 'alice-holiday', '€0.00', '... also in the second tab');
balance_is($bob, 'bob-holiday', '€0.00', '... and bob has his');

move($first, 'deposit', '100');

my $deposit = newest($first, 'deposit', 'completed');

is newest($second, 'deposit', 'completed'), $deposit,
    'a deposit is told in both tabs, by the same id';
balance_is($first, 'alice-holiday', '€100.00', '... and the balance is new');
balance_is($second, 'alice-holiday', '€100.00', '... in both');

$first->wait_text('#trip [data-leg=get] .took', qr/\d ms|\d s/);
like join(' ', $first->texts('#trip .took')),
    qr/\A[\d.]+ m?s after [\d.]+ m?s [\d.]+ m?s\z/,
    'the page tells how long POST, notification and GET took';

move($first, 'withdraw', '500.50');

my $refused = newest($first, 'withdraw', 'rejected');
my $reason  = "#feed .item[data-command='$refused'] .reason";

like $first->text($reason), qr/\A[A-Z].*\w.*\.\z/,
    'too large a withdrawal is rejected, and says why';
$second->wait_text($reason, qr/\w/);
is $second->text($reason), $first->text($reason), '... in both tabs';
balance_is($first, 'alice-holiday', '€100.00', '... and moves nothing');

move($first, 'transfer', '40', 'bob-holiday');

newest($first, 'transfer', 'completed');
like $bob->wait_text('#feed .item[data-news]', qr/\S/), qr/Alice.*€40\.00.*Holiday/,
    'bob is told of the money alice sent';
balance_is($bob, 'bob-holiday', '€40.00', '... and sees it');
balance_is($_, 'alice-holiday', '€60.00', '... and alice sees it gone')
    for $first, $second;

$bob->screenshot('bob');


# --- looks, with something on the page ---

for my $scheme (qw(light dark)) {
    $first->color_scheme($scheme);
    $first->screenshot("wide-$scheme");
}

$second->size(390, 844);
is $second->script('return document.documentElement.scrollWidth'), 390,
    'on a telephone nothing sticks out';
$second->screenshot('narrow');


# --- reload ---

watch_connection($_) for $first, $second;

my @accepted;

for my $n (1 .. 20) {
    $nginx->reload if $n == 10;

    my $answer = $http->request('POST', '/accounts/alice-holiday/deposit',
        { 'Authorization' => "Bearer $token{alice}",
          'Content-Type'  => 'application/json' }, encode_json({ amount => 1 }));

    push @accepted, $answer->{headers}{'command-id'}
        if $answer->{status} == 202;
}

is scalar @accepted, 20, 'a reload refuses no command';

for my $tab ($first, $second) {
    $tab->wait_for("states.includes('resumed')", 60);

    is_deeply [map { scalar $tab->wait_for(
                   "document.querySelectorAll('[data-command=\"$_\"]').length") }
               @accepted],
              [map { 1 } @accepted],
        'after the reload each outcome is in the feed once';
    balance_is($tab, 'alice-holiday', '€80.00', '... and the balance is right');
}

is_deeply [$browser->complaints], [], 'the browser has nothing to complain of';


# --- away for long ---

$nginx->stop;
$first->wait_text('#connection', qr/Reconnecting/);
$first->screenshot('away');

# A command that reaches RabbitMQ past nginx, and a history that is gone.

my $history = 'cqrs:history:user:alice';
my $before  = $redis->command('XLEN', $history);

$vhost->publish('cqrs.commands',
    'deposit.' . $database->value(
        q{select cqrs.partition_of('account-alice-holiday')}),
    { message_id    => '01939d5e-6f1a-7c3b-9d2e-0b6f5a1c7e44',
      type          => 'deposit',
      content_type  => 'application/json',
      delivery_mode => 2,
      headers => { stream => 'account-alice-holiday', user => 'alice' } },
    encode_json({ amount => 5 }));

wait_until { $redis->command('XLEN', $history) > $before }
    20, 'the command to be carried out';

$redis->command('DEL', $history);
$nginx->start;

$first->wait_text('#connection', qr/Live/, 30);
balance_is($first, 'alice-holiday', '€85.00',
    'who was away for longer than the history fetches everything anew');


# --- a token that is no longer good ---

my $tokens = slurp("$dir/tokens.json");

$tokens =~ s/\Q$token{carol}/$token{carol}x/;
spew("$dir/tokens.json", $tokens);

my $carol = $browser->open("$url/#carol");

like $carol->wait_text('#welcome-problem', qr/\S/), qr/token|sign-in/,
    'who is not let in reads why';

$tokens =~ s/\Q$token{carol}x/$token{carol}/;
spew("$dir/tokens.json", $tokens);

$carol->click(q{.user[href='#carol']});
like $carol->wait_text('#connection', qr/Live/), qr/Live/,
    '... and may try again';


# --- secrets, and the test itself ---

my $log = slurp("$dir/access.log");

like $log, qr{alice .*"GET /notifications" 101}, 'the access log has the socket';
unlike $log, qr/eyJ|access_token/, '... and no token';

$first->script(<<'JS');
    console.error('probe');
    const script = document.createElement('script');
    try { script.text = '1'; } catch {}
    document.head.append(script);
    const style = document.createElement('style');
    style.textContent = 'p { color: red }';
    document.head.append(style);
JS

my $complaints = join "\n", $browser->complaints;

like $complaints, qr/probe/, 'an error on the console would have been seen';
like $complaints, qr/Content Security Policy/, '... and a violation too';

$browser->stop;
$nginx->stop;
$consumer->stop;

diag "screenshots are in $pictures"
    if $ENV{CQRS_SCREENSHOTS} || !Test::More->builder->is_passing;

END {
    if ($pictures && !$ENV{CQRS_SCREENSHOTS}
        && Test::More->builder->is_passing)
    {
        unlink glob "$pictures/*.png";
        rmdir $pictures;
    }
}

done_testing;
