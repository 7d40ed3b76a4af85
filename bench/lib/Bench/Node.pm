package Bench::Node;

# A server of bench/node, with its packages beside the built programs.

use v5.36;

use Cqrs::Paths qw(root build);

my $READY_WITHIN = 30;                     # seconds


sub start($class, $script, @args) {
    my $folder = _install();

    # the shell would be the parent of the processes that are measured
    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        $ENV{NODE_PATH} = "$folder/node_modules";
        $ENV{NODE_ENV}  = 'production';
        exec 'node', root() . "/bench/node/$script.js", @args;
        die "node: $!\n";
    }

    my $self = bless { pid => $pid, out => $out }, $class;

    local $SIG{ALRM} = sub { die "$script.js is not ready in $READY_WITHIN s\n" };
    alarm $READY_WITHIN;
    my $line = <$out> // die "$script.js ended early\n";
    alarm 0;

    ($self->{port}) = $line =~ /^listening (\d+)$/ or die "$script.js said: $line";

    return $self;
}


sub pid($self)  { return $self->{pid} }
sub port($self) { return $self->{port} }


sub _install() {
    my $folder  = build() . '/bench/node';
    my $package = root() . '/bench/node/package.json';

    system('mkdir', '-p', $folder) == 0 or die "mkdir $folder\n";

    if (system('cmp', '-s', $package, "$folder/package.json") != 0) {
        say STDERR 'installing the packages of bench/node';
        system('cp', $package, $folder) == 0
            && system('npm', 'install', '--prefix', $folder, '--no-package-lock', '--no-audit',
                      '--no-fund', '--silent') == 0
            or do { unlink "$folder/package.json"; die "npm could not install them\n" };
    }

    return $folder;
}


sub stop($self) {
    my $pid = delete $self->{pid} // return;
    local ($?, $!);

    kill 'TERM', $pid;
    waitpid $pid, 0;

    return;
}

sub DESTROY($self) { return $self->stop }


1;
