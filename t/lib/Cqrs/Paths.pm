package Cqrs::Paths;

# Where the project and what was built of it are.  CQRS_BUILD names another
# build directory: that of `make ASAN=1` is build/asan.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);

our @EXPORT_OK = qw(root build module consumer nginx slurp spew);

my $root = abs_path(dirname(__FILE__) . '/../../..');

sub root { return $root }

sub build {
    my $build = $ENV{CQRS_BUILD} || 'build';

    return $build =~ m{^/} ? $build : "$root/$build";
}

sub module   { return build() . '/module/ngx_http_cqrs_module.so' }
sub consumer { return build() . '/cqrs-consumer' }

# A build with sanitizers brings a script that starts nginx with their
# libraries.
sub nginx {
    my $own = build() . '/nginx';

    return $ENV{CQRS_NGINX} if $ENV{CQRS_NGINX};
    return -x $own ? $own : '/usr/sbin/nginx';
}

sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;

    return scalar(<$in>) // '';
}

sub spew {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}

1;
