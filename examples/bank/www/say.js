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
export const accountNames = (user) =>
    ['everyday', 'savings', 'holiday', 'rainy-day', 'bicycle', 'surprise']
        .map((name) => `${user}-${name}`);


export const icon = (type) =>
    ['open', 'deposit', 'withdraw', 'transfer'].includes(type) ? type : 'note';


/* A command as its sender would say it. */
export function commandSentence(type, account, body = {}) {
    const amount = body.amount === undefined ? '' : ` ${money(body.amount)}`;

    switch (type) {
    case 'open':
        return `Open account ${account}`;
    case 'deposit':
        return `Deposit${amount} into ${account}`;
    case 'withdraw':
        return `Withdraw${amount} from ${account}`;
    case 'transfer':
        return `Transfer${amount} from ${account}`
               + (body.to ? ` to ${body.to}` : '');
    default:
        return `${named(type)}${amount} on ${account}`;
    }
}


/* A row of /api/transactions. */
export function transaction(row) {
    return {
        at: new Date(row.at),
        what: row.type,
        amount: row.amount,
        balance: row.balance,
    };
}


/* A notification of the bank's own: { icon, sentence, account }. */
export function news({ type, data, subject }) {
    return {
        icon: 'note',
        sentence: type,
        account: accountOf(data?.stream ?? subject),
    };
}
