/*
 * The page of the bank: who is signed in, and the forms.
 *
 * The user's name stands in the address after the #, so that a second tab may
 * be somebody else.  The tokens are the demo's: the server hands them out.
 */

import { Problem } from './api.js';
import { Session } from './session.js';
import * as view from './view.js';

const TOKENS = '/demo/tokens.json';

const { $ } = view;

let session = null;


async function signIn(why = '') {
    session?.close();
    session = null;

    if (why) {
        history.replaceState(null, '', location.pathname);
    }

    const user = decodeURIComponent(location.hash.slice(1));
    let tokens;

    try {
        tokens = await demoTokens();
    } catch (problem) {
        view.showWelcome([], problem.message);
        return;
    }

    const mine = tokens.find((entry) => entry.user === user);
    const users = tokens.map((entry) => entry.user);

    if (!mine) {
        view.showWelcome(users, why);
        return;
    }

    view.showBank(user, users.filter((other) => other !== user));

    session = new Session(user, mine.token, (reason) => signIn(reason));
}


async function demoTokens() {
    const answer = await fetch(TOKENS, { cache: 'no-store' }).catch(() => {
        throw new Problem(0);
    });

    if (!answer.ok) {
        throw new Problem(answer.status, 'The demo has no tokens yet.');
    }

    return answer.json();
}


/* --- the forms --- */

$('open-form').addEventListener('submit', (event) => {
    event.preventDefault();
    session.open($('open-name').value.trim());
    view.hideOpenForm();
});


$('open-cancel').addEventListener('click', view.hideOpenForm);


$('move-form').addEventListener('submit', (event) => {
    event.preventDefault();

    const { type, amount, to } = Object.fromEntries(
        new FormData(event.target));

    session.send(type, session.books.selected, {
        amount: Number(amount),
        ...(type === 'transfer' && { to }),
    });
});


$('move-form').addEventListener('change', ({ target }) => {
    if (target.name === 'type') {
        view.showMoveKind(target.value);
        session.books.refresh(null);     /* others may have opened some */
    }
});


$('move-form').addEventListener('click', ({ target }) => {
    if (target.dataset.amount) {
        $('amount').value = target.dataset.amount;
        $('amount').focus();
    }
});


addEventListener('hashchange', () => signIn());
signIn();
