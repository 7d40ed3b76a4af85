/*
 * Words and figures: how money, times, commands and notifications are said to
 * a person.  Nothing here knows the page or the server.
 */

const MONEY = new Intl.NumberFormat('en-IE', {
    style: 'currency', currency: 'EUR',
});

const SIGNED = new Intl.NumberFormat('en-IE', {
    style: 'currency', currency: 'EUR', signDisplay: 'exceptZero',
});

const CLOCK = new Intl.DateTimeFormat(undefined, {
    hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});

const DAY = new Intl.DateTimeFormat(undefined, {
    day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit',
    hourCycle: 'h23',
});

export const money = (amount) => MONEY.format(amount);
export const signed = (amount) => SIGNED.format(amount);
export const clock = (date) => CLOCK.format(date);

export const when = (date) =>
    date.toDateString() === new Date().toDateString()
        ? CLOCK.format(date) : DAY.format(date);

export const took = (ms) =>
    ms < 10 ? `${ms.toFixed(1)} ms`
        : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;

export const named = (user) => user.charAt(0).toUpperCase() + user.slice(1);

export const short = (id) => id ? `${id.slice(0, 4)}…${id.slice(-4)}` : '';

/* A reason of the domain's as a sentence: begun large, ended with a stop. */
export const sentence = (text) =>
    (text ? named(text) : 'No reason was given').replace(/[^.!?]$/, '$&.');

export const accountOf = (stream) => (stream || '').replace(/^account-/, '');


export function greeting(user) {
    const hour = new Date().getHours();
    const part = hour < 5 ? 'night' : hour < 12 ? 'morning'
        : hour < 18 ? 'afternoon' : 'evening';

    return part === 'night' ? `Still up, ${named(user)}?`
        : `Good ${part}, ${named(user)}`;
}


/* Names to propose for new accounts, the likeliest first. */
export const ACCOUNT_NAMES = ['Everyday', 'Savings', 'Holiday', 'Rainy day',
                              'Bicycle', 'Surprise'];


/* An account's id is made of its owner and its name; null if nothing is left. */
export function accountId(user, name) {
    const plain = name.normalize('NFKD').toLowerCase()
        .replace(/[\u0300-\u036f]/g, '')
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-|-$/g, '').slice(0, 60);

    return plain ? `${user}-${plain}` : null;
}


export const icon = (type) => ({
    'open': 'open',
    'deposit': 'deposit',
    'withdraw': 'withdraw',
    'transfer': 'transfer',
    'receive-transfer': 'transfer',
    'undo-transfer': 'transfer',
})[type] ?? 'note';


/* The bank's own commands, which a transfer causes. */
export const isOwn = (type) => /^(receive|undo)-transfer$/.test(type);


/*
 * A command as its sender would say it.  label(id) is what an account is
 * called; the amount is not known of commands from elsewhere.
 */
export function commandSentence(type, account, label, body = {}) {
    const { amount, to } = body;
    const sum = amount === undefined ? 'money' : money(amount);
    const name = label(account);

    switch (type) {
    case 'open':
        return `Open ${body.name ?? name}`;
    case 'deposit':
        return `Deposit ${sum} into ${name}`;
    case 'withdraw':
        return `Withdraw ${sum} from ${name}`;
    case 'transfer':
        return `Transfer ${sum} from ${name}${to ? ` to ${label(to)}` : ''}`;
    case 'receive-transfer':
        return `The transfer arrives at ${name}`;
    case 'undo-transfer':
        return `The transfer comes back to ${name}`;
    default:
        return `${named(type)} on ${name}`;
    }
}


/* A row of /api/transactions. */
export function transaction(row, label) {
    const other = row.counterparty && label(row.counterparty);

    const what = {
        'opened': 'Opened',
        'deposited': 'Deposit',
        'withdrawn': 'Withdrawal',
        'transfer-sent': `To ${other}`,
        'transfer-received': `From ${other}`,
        'transfer-undone': `Back from ${other}`,
    };

    return {
        at: new Date(row.at),
        what: what[row.type] ?? row.type,
        amount: row.amount,
        balance: row.balance,
    };
}


/* A notification of the bank's own: { icon, sentence, account }. */
export function news({ type, data }, label) {
    const account = data.account;

    switch (type) {

    case 'account.money-received':
        return {
            icon: 'deposit', account,
            sentence: `${named(data.by)} sent you ${money(data.amount)}, `
                      + `it is in ${label(account)}`,
        };

    case 'account.transfer-undone':
        return {
            icon: 'transfer', account,
            sentence: `${money(data.amount)} came back to ${label(account)}: `
                      + sentence(data.reason),
        };

    default:
        return { icon: 'note', account, sentence: type };
    }
}
