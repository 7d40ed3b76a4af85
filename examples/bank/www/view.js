/*
 * What is on the page.
 *
 * Takes plain values and puts them into the elements and templates of
 * index.html; asks nothing of the server.  Data becomes text, never markup.
 */

import * as say from './say.js';

export const $ = (id) => document.getElementById(id);

const FEED_LENGTH = 60;
const TONES = 6;
const ANNOUNCED = 5_000;

const STEPS = { sent: 0, accepted: 1, outcome: 2 };

let announced = 0;


function fromTemplate(id) {
    return $(id).content.firstElementChild.cloneNode(true);
}


function setText(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}


function setTime(element, date, text) {
    element.dateTime = date.toISOString();
    element.title = date.toLocaleString();
    setText(element, text);
}


/*
 * A user's colour is the same in every tab; the accounts go on from it, so
 * that two cards beside each other differ.
 */
function toneOf(user, place = 0) {
    let sum = place;

    for (const char of user) {
        sum += char.codePointAt(0);
    }

    return String(sum % TONES);
}


function avatar(element, user) {
    element.dataset.tone = toneOf(user);
    setText(element, user.charAt(0).toUpperCase());
}


/* Says something to people who listen, or who don't see the feed. */
export function announce(sentence) {
    clearTimeout(announced);
    setText($('announcer'), sentence);
    announced = setTimeout(() => setText($('announcer'), ''), ANNOUNCED);
}


export function showProblem(sentence, place = 'problem') {
    $(place).hidden = !sentence;
    setText($(place), sentence || '');
}


export function showWelcome(users, problem) {
    $('bank').hidden = true;
    $('welcome').hidden = false;
    document.title = 'First Event Bank';

    $('users').replaceChildren(...users.map((user) => {
        const li = fromTemplate('t-user');

        li.querySelector('a').href = `#${user}`;
        avatar(li.querySelector('.avatar'), user);
        setText(li.querySelector('.name'), say.named(user));
        return li;
    }));

    showProblem(problem, 'welcome-problem');
}


export function showBank(user, others) {
    $('welcome').hidden = true;
    $('bank').hidden = false;
    document.title = `${say.named(user)} · First Event Bank`;

    avatar($('avatar'), user);
    setText($('me'), say.named(user));
    setText($('greeting'), say.greeting(user));

    const links = others.map((other) => {
        const a = document.createElement('a');

        a.href = `#${other}`;
        a.target = '_blank';
        a.rel = 'noopener';
        a.textContent = say.named(other);
        return a;
    });

    $('others').replaceChildren('Open a tab as ', ...links);

    $('accounts').replaceChildren();
    $('feed').replaceChildren();
    $('feed-empty').hidden = false;
    $('trip-what').hidden = true;
    for (const row of $('trip').children) {
        delete row.dataset.state;
        setText(row.querySelector('.took'), '');
    }
    hideOpenForm();
    showProblem('');
}


export function showConnection(state, text) {
    $('connection').dataset.state = state;
    setText($('connection-text'), text);
}


/* Goes on to the next state, unless something else happened meanwhile. */
export function calmConnection(state, next, text) {
    if ($('connection').dataset.state === state) {
        showConnection(next, text);
    }
}


/* Opens the form with a proposal for the name. */
export function showOpenForm(proposal) {
    $('open-form').hidden = false;
    $('open-name').value = proposal;
    $('open-name').select();
}


export function hideOpenForm() {
    $('open-form').hidden = true;
    $('accounts').querySelector('.new')?.focus();
}


export function showMoveForm(name) {
    $('move-form').hidden = name === null;
    setText($('move-account'), name ?? '');
}


export function showMoveKind(type) {
    $('to-field').hidden = type !== 'transfer';
    $('to').required = type === 'transfer';
}


/*
 * The cards of the user's accounts, in the given order.  A card that is there
 * already is changed, not made anew: it keeps the focus, and shows by how much
 * its balance moved.  busy(id) says whether a command is under way;
 * on.select(id) and on.open() are called by clicks.
 */
export function showAccounts(accounts, selected, busy, on) {
    const group = $('accounts');
    const had = new Map(Array.from(group.querySelectorAll('[data-account]'),
                                   (card) => [card.dataset.account, card]));

    const cards = accounts.map((account, i) => {
        const card = had.get(account.id) || newCard(account, on.select);

        card.dataset.tone = toneOf(account.owner, i);
        showBalance(card, account.balance);
        card.setAttribute('aria-pressed', String(account.id === selected));
        card.querySelector('.spinner').hidden = !busy(account.id);
        return card;
    });

    let last = group.querySelector('.new');

    if (!last) {
        last = fromTemplate('t-new-account');
        last.addEventListener('click', on.open);
    }

    place(group, [...cards, last]);

    const sum = accounts.reduce((total, { balance }) => total + balance, 0);

    setText($('total'), accounts.length === 0
        ? 'You have no account yet. Open one to begin.'
        : `${say.money(sum)} in ${accounts.length} `
          + (accounts.length === 1 ? 'account' : 'accounts'));
}


function newCard(account, onSelect) {
    const card = fromTemplate('t-account');

    card.dataset.account = account.id;
    setText(card.querySelector('.card-name'), account.name);
    setText(card.querySelector('.card-id'), account.id);
    card.addEventListener('click', () => onSelect(account.id));
    return card;
}


function showBalance(card, balance) {
    const before = card.dataset.balance;

    setText(card.querySelector('.balance'), say.money(balance));
    card.dataset.balance = String(balance);

    if (before === undefined || Number(before) === balance) {
        return;
    }

    const change = card.querySelector('.change');

    setText(change, say.signed(balance - Number(before)));
    change.dataset.sign = balance > Number(before) ? 'up' : 'down';

    change.getAnimations().forEach((animation) => animation.cancel());
    change.animate([
        { opacity: 0, transform: 'translateY(6px)' },
        { opacity: 1, transform: 'none', offset: 0.06 },
        { opacity: 1, transform: 'none', offset: 0.85 },
        { opacity: 0, transform: 'none' },
    ], { duration: 4000, fill: 'forwards' });
}


/* Puts the children in order and removes the others; moves as few as it can. */
function place(parent, children) {
    children.forEach((child, i) => {
        if (parent.children[i] !== child) {
            parent.insertBefore(child, parent.children[i] || null);
        }
    });

    while (parent.children.length > children.length) {
        parent.lastElementChild.remove();
    }
}


/* The accounts that money can be sent to, grouped by owner. */
export function showPayees(payees, own, from) {
    const select = $('to');
    const chosen = select.value;
    const groups = new Map();

    for (const { id, owner, name } of payees) {
        if (id === from) {
            continue;
        }

        const label = owner === own ? 'Your own' : say.named(owner);

        if (!groups.has(label)) {
            groups.set(label, document.createElement('optgroup'));
            groups.get(label).label = label;
        }

        groups.get(label).append(new Option(
            owner === own ? name : `${say.named(owner)}: ${name}`, id));
    }

    select.replaceChildren(...groups.values());

    if (groups.size === 0) {
        select.append(new Option('nobody else has an account yet', ''));
    } else if (chosen) {
        select.value = chosen;
        if (select.selectedIndex < 0) {
            select.selectedIndex = 0;
        }
    }
}


export function showTransactions(name, rows) {
    $('history').hidden = name === null;
    setText($('history-account'), name ?? '');
    $('no-transactions').hidden = rows.length > 0;
    $('transactions').parentElement.hidden = rows.length === 0;

    $('transactions').replaceChildren(...rows.map((row) => {
        const tr = fromTemplate('t-transaction');
        const amount = tr.querySelector('.amount');

        setTime(tr.querySelector('time'), row.at, say.when(row.at));
        setText(tr.querySelector('.what'), row.what);
        setText(amount, row.amount === 0 ? '–' : say.signed(row.amount));
        amount.dataset.sign = row.amount > 0 ? 'up' : 'down';
        setText(tr.querySelector('.after'), say.money(row.balance));
        return tr;
    }));
}


/* Adds an item on top of the feed and returns its element. */
export function addItem(icon, sentence, date) {
    const item = fromTemplate('t-item');

    item.querySelector('use').setAttribute('href', `#i-${icon}`);
    item.dataset.kind = icon;
    setText(item.querySelector('.sentence'), sentence);
    setTime(item.querySelector('time'), date, say.clock(date));

    $('feed').prepend(item);
    $('feed-empty').hidden = true;

    while ($('feed').children.length > FEED_LENGTH) {
        $('feed').lastElementChild.remove();
    }

    return item;
}


/*
 * How far a command has come: state is one of sending, accepted, completed,
 * rejected, failed, refused (it never became a command) and unknown.
 */
export function showProgress(item, state, { words = {}, reason = '' } = {}) {
    const reached = { sending: 0, refused: 0, accepted: 1, unknown: 1 };
    const step = reached[state] ?? 2;
    const bad = ['rejected', 'failed', 'refused'].includes(state);

    item.dataset.state = state;
    item.querySelector('.steps').hidden = false;

    for (const li of item.querySelectorAll('.steps li')) {
        const own = STEPS[li.dataset.step];

        li.dataset.state = own > step ? 'todo'
            : own === step && bad ? 'bad' : 'done';

        if (words[li.dataset.step]) {
            setText(li, words[li.dataset.step]);
        }
    }

    item.querySelector('.reason').hidden = !reason;
    setText(item.querySelector('.reason'), reason);
}


/* Offers to send a command again; onAgain is called at most once. */
export function offerAgain(item, onAgain) {
    const button = item.querySelector('.again');

    button.hidden = false;
    button.onclick = () => {
        button.hidden = true;
        button.onclick = null;
        onAgain();
    };
}


/*
 * How long the last command took, as bars on one scale: legs is a list of
 * { name, from, to, text } in milliseconds since it was sent.
 */
export function showTrip(what, legs) {
    const trip = $('trip');
    const whole = Math.max(1, ...legs.map(({ to }) => to));

    $('trip-what').hidden = false;
    setText($('trip-what'), what);

    for (const row of trip.children) {
        const leg = legs.find(({ name }) => name === row.dataset.leg);
        const bar = row.querySelector('i');

        row.dataset.state = leg ? 'done' : 'todo';
        setText(row.querySelector('.took'), leg ? leg.text : '');

        if (leg) {
            bar.style.setProperty('--from', leg.from / whole);
            bar.style.setProperty('--width', (leg.to - leg.from) / whole);
        }
    }
}
