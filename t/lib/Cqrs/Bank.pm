package Cqrs::Bank;

# Who decides for the bank: its functions in SQL, or its handler in C.
#
#   my $form = Cqrs::Bank::any;                    'SQL' or 'C', by rand
#   Cqrs::Bank::decided_in($database, $form);
#   Cqrs::Consumer->start(..., args => [ Cqrs::Bank::arguments($form) ]);
#
# The handler may be another one than the bank's own, which is the second argument of
# arguments().

use strict;
use warnings;

use Cqrs::Paths qw(root build);

use constant FORMS => qw(SQL C);

sub any { return (FORMS)[ rand FORMS ] }

sub other { my ($form) = @_; return (grep { $_ ne $form } FORMS)[0] }

sub decided_in {
    my ($database, $form) = @_;

    return $database->run(root() . '/examples/bank/sql/register.sql') if $form eq 'SQL';

    $database->dbh->do(<<'SQL');
select cqrs.register('account', project => 'bank.project', tables => '{accounts, transactions}',
                     react => 'bank.react', reacts_to => '{transfer-sent, transfer-refused}',
                     notify => 'bank.notify', notifies_of => '{transfer-received, transfer-undone}')
SQL
}

sub arguments {
    my ($form, $handler) = @_;

    return $form eq 'SQL' ? () : ('--handler', $handler // build() . '/handlers/bank.so');
}

1;
