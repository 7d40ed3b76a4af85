do $$
begin
    perform cqrs.register('account',
        decide  => 'bank.decide',
        evolve  => 'bank.evolve',
        project => 'bank.project',
        react   => 'bank.react',
        notify  => 'bank.notify');
end $$;
