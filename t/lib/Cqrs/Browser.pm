package Cqrs::Browser;

# A headless Chromium, driven through chromedriver by the WebDriver protocol.
#
#   my $browser = Cqrs::Browser->start(screenshots => $dir);
#   my $tab     = $browser->open("http://127.0.0.1:$port/");
#   $tab->click('button');
#   $tab->wait_text('#answer', qr/42/);
#   is_deeply [$browser->complaints], [];
#
# The browser has a profile of its own that is thrown away, and resolves no
# host name: it sees 127.0.0.1 and nothing else.  Chromedriver and all that it
# started are gone when the object is.  What is awaited and does not come dies
# with a screenshot and the browser's log.

use strict;
use warnings;

use Carp qw(croak);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use JSON qw(decode_json encode_json);
use POSIX qw(WNOHANG);
use Scalar::Util qw(weaken);

use Cqrs::Guard;
use Cqrs::Paths qw(slurp);
use Cqrs::Wait qw(wait_until);

my $ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';    # a constant of W3C's
my $TIMEOUT = 15;

my %alive;


sub start {
    my ($class, %args) = @_;

    my $self = bless {
        owner       => $$,
        http        => HTTP::Tiny->new(timeout => 60),
        dir         => tempdir('cqrs-browser-XXXXXX', TMPDIR => 1,
                               CLEANUP => 1),
        screenshots => $args{screenshots},
        log         => [],
    }, $class;

    $self->{guards} = [ Cqrs::Guard::add('rm', '-rf', $self->{dir}) ];

    $self->_start_driver;
    $self->_start_session;

    return $self;
}


# Programs that are missing fail the test: tools/packages names them.
sub _start_driver {
    my ($self) = @_;

    my ($driver) = grep { -x } map { "$_/chromedriver" }
        split(/:/, $ENV{PATH}), '/usr/bin';

    croak "no chromedriver: install the packages of tools/packages"
        unless $driver;

    my $output = "$self->{dir}/chromedriver.log";

    $self->{pid} = fork // croak "fork: $!";

    if ($self->{pid} == 0) {
        POSIX::setsid();
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $output;
        open STDERR, '>&', \*STDOUT;
        $ENV{HOME} = $self->{dir};       # caches and crash dumps go there
        $ENV{TMPDIR} = $self->{dir};
        exec $driver, '--port=0' or POSIX::_exit(127);
    }

    push @{ $self->{guards} }, Cqrs::Guard::add('kill', -$self->{pid});
    weaken($alive{ $self->{pid} } = $self);

    wait_until {
        ($self->{port}) = slurp($output) =~ /started successfully on port (\d+)/;
        croak "chromedriver ended: " . slurp($output)
            if !$self->{port} && waitpid($self->{pid}, WNOHANG);
        $self->{port};
    } $TIMEOUT, 'chromedriver to start';

    return;
}


sub _start_session {
    my ($self) = @_;

    my @args = (
        '--headless=new', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--no-default-browser-check', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
        '--disable-dev-shm-usage', '--window-size=1360,900', '--lang=en-US',
        "--user-data-dir=$self->{dir}/profile",
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    );

    push @args, '--no-sandbox' if $> == 0;    # Chromium insists, as root

    my $session = $self->_send(POST => '/session', {
        capabilities => { alwaysMatch => {
            'browserName'         => 'chrome',
            'goog:chromeOptions'  => { args => \@args },
            'goog:loggingPrefs'   => { browser => 'ALL' },
        } },
    });

    $self->{session} = "/session/$session->{sessionId}";

    return;
}


sub _send {
    my ($self, $method, $path, $body) = @_;

    my $answer = $self->{http}->request($method,
        "http://127.0.0.1:$self->{port}$path",
        { headers => { 'Content-Type' => 'application/json; charset=utf-8' },
          $method eq 'POST' ? (content => encode_json($body // {})) : () });

    my $value = eval { decode_json($answer->{content})->{value} };

    croak "WebDriver $method $path: ",
        ref $value ? "$value->{error}: $value->{message}" : $answer->{content}
        unless $answer->{success};

    return $value;
}


sub command {
    my ($self, $method, $path, $body) = @_;
    return $self->_send($method, "$self->{session}$path", $body);
}


# Opens a window of its own, so that the page counts as seen, and goes there.
sub open {
    my ($self, $url) = @_;

    my $window = $self->command(POST => '/window/new', { type => 'window' });
    my $tab = Cqrs::Browser::Tab->_new($self, $window->{handle});

    $tab->go($url);
    return $tab;
}


# What the consoles of all windows said since the start, as texts.
sub console {
    my ($self) = @_;

    for my $tab (@{ $self->command(GET => '/window/handles') }) {
        $self->command(POST => '/window', { handle => $tab });
        push @{ $self->{log} },
            @{ $self->command(POST => '/se/log', { type => 'browser' }) };
    }

    return map { "$_->{level} $_->{source}: $_->{message}" } @{ $self->{log} };
}


# Errors, warnings, and what the Content-Security-Policy refused.
sub complaints {
    my ($self) = @_;
    return grep { /^(?:SEVERE|WARNING)\b|Content.Security.Policy/ } $self->console;
}


sub stop {
    my ($self) = @_;

    return if !$self->{pid} || $self->{owner} != $$;

    eval { $self->command(DELETE => '') } if $self->{session};

    my $pid = delete $self->{pid};

    delete $alive{$pid};
    kill TERM => -$pid;

    # the profile can be deleted when nobody writes to it any more

    eval {
        wait_until { waitpid($pid, WNOHANG); !kill 0, -$pid }
            $TIMEOUT, 'the browser to leave';
    } or kill KILL => -$pid;

    Cqrs::Guard::remove($_) for @{ delete $self->{guards} };

    return;
}


sub DESTROY {
    my ($self) = @_;
    local ($@, $?);
    $self->stop;
    return;
}


END {
    $_->DESTROY for grep { $_ } values %alive;
}


package Cqrs::Browser::Tab;

# One window of the browser.  An element is named by a CSS selector; of several
# that match, the first is meant.

use strict;
use warnings;

use Carp qw(croak);
use MIME::Base64 qw(decode_base64);
use Cqrs::Wait qw(wait_until);


sub _new {
    my ($class, $browser, $handle) = @_;
    return bless { browser => $browser, handle => $handle }, $class;
}


sub command {
    my ($self, @command) = @_;

    $self->{browser}->command(POST => '/window', { handle => $self->{handle} });
    return $self->{browser}->command(@command);
}


sub go {
    my ($self, $url) = @_;
    return $self->command(POST => '/url', { url => $url });
}


# Runs the body of a function in the page and returns what it returns.
sub script {
    my ($self, $body, @args) = @_;

    return $self->command(POST => '/execute/sync',
                          { script => $body, args => \@args });
}


# The text of the element as a person sees it; undef when it is not there.
sub text {
    my ($self, $selector) = @_;

    return $self->script(
        'return document.querySelector(arguments[0])?.innerText', $selector);
}


sub texts {
    my ($self, $selector) = @_;

    return @{ $self->script(
        'return Array.from(document.querySelectorAll(arguments[0]),
                           (element) => element.innerText)', $selector) };
}


# Clicks as a person would: an element that is hidden or covered is refused.
sub click {
    my ($self, $selector) = @_;
    return $self->command(POST => $self->_element($selector) . '/click');
}


# Replaces what stands in a field by typing.
sub fill {
    my ($self, $selector, $text) = @_;

    my $element = $self->_element($selector);

    $self->command(POST => "$element/clear");
    return $self->command(POST => "$element/value", { text => "$text" });
}


sub choose {
    my ($self, $selector, $value) = @_;
    return $self->click(qq{$selector option[value="$value"]});
}


sub _element {
    my ($self, $selector) = @_;

    my $found = $self->command(POST => '/element',
        { using => 'css selector', value => $selector });

    return "/element/$found->{$ELEMENT}";
}


# Waits until the element's text matches, and returns the text.
sub wait_text {
    my ($self, $selector, $pattern, $timeout) = @_;

    my $text;

    eval {
        wait_until {
            $text = $self->text($selector);
            defined $text && $text =~ $pattern;
        } $timeout // $TIMEOUT, "$selector to match $pattern";
        1;
    } or $self->_give_up("$@ last seen: " . ($text // 'no such element'));

    return $text;
}


# Waits until an expression of JavaScript is true, and returns its value.
sub wait_for {
    my ($self, $expression, $timeout) = @_;

    my $value;

    eval {
        wait_until {
            $value = $self->script("return $expression");
        } $timeout // $TIMEOUT, $expression;
        1;
    } or $self->_give_up($@);

    return $value;
}


sub _give_up {
    my ($self, $why) = @_;

    $self->screenshot('failed');
    croak join "\n", $why, eval { $self->{browser}->console };
}


# A command of the DevTools protocol, for what WebDriver has no word for.
sub devtools {
    my ($self, $command, %params) = @_;

    return $self->command(POST => '/goog/cdp/execute',
                          { cmd => $command, params => \%params });
}


# $scheme is light or dark.
sub color_scheme {
    my ($self, $scheme) = @_;

    return $self->devtools('Emulation.setEmulatedMedia', features =>
        [{ name => 'prefers-color-scheme', value => $scheme }]);
}


sub size {
    my ($self, $width, $height) = @_;

    return $self->devtools('Emulation.setDeviceMetricsOverride',
        width => $width, height => $height, deviceScaleFactor => 1,
        mobile => $width < 600 ? JSON::true : JSON::false);
}


# Writes NAME.png to the browser's screenshot directory, if it has one.
sub screenshot {
    my ($self, $name) = @_;

    my $dir = $self->{browser}{screenshots} or return;
    my $png = $self->devtools('Page.captureScreenshot',
                              captureBeyondViewport => JSON::true);

    open my $fh, '>:raw', "$dir/$name.png"
        or croak "$dir/$name.png: $!";
    print {$fh} decode_base64($png->{data});
    close $fh or croak "$dir/$name.png: $!";

    return "$dir/$name.png";
}


1;
