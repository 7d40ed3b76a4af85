do $$
begin
    perform cqrs.register('account',
        decide      => 'bank.decide',
        evolve      => 'bank.evolve',
        project     => 'bank.project',
        tables      => '{accounts, transactions}',
        react       => 'bank.react',
        reacts_to   => '{transfer-sent, transfer-refused}',
        notify      => 'bank.notify',
        notifies_of => '{transfer-received, transfer-undone}');
end $$;
