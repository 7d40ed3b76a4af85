/*
 * A signed-in user.
 *
 * A session sends commands, keeps each until its outcome is told, and fetches
 * anew what a notification says has changed.  Nothing is assumed: a balance on
 * the page is one that a query has answered.
 */

import { Problem, client, randomKey } from './api.js';
import { Live } from './live.js';
import * as say from './say.js';
import * as view from './view.js';

const TRANSACTIONS = 12;
const FEW = 4;                  /* changed accounts that are fetched singly */
const AGAIN = 3_000;
const SLOW = 6_000;
const RESUMED = 4_000;

const OUTCOME = 'cqrs.command.';


export class Session {
    #user;
    #signOut;
    #bank;
    #live;
    #closed = false;

    #accounts = new Map();
    #payees = new Map();        /* everybody's accounts: owner and name */
    #selected = null;

    #pending = new Map();       /* commands without outcome, by id */
    #sending = 0;               /* POSTs whose answer, so their id, is not in */
    #early = new Map();         /* outcomes that overtook the answer, by id */

    #changed = new Set();       /* accounts to fetch; null: all */
    #round = Promise.resolve(); /* the last round of queries, running or not */
    #next = null;               /* the one that has not begun */
    #again = 0;


    /* signOut(why) is called when the server no longer takes the token. */
    constructor(user, token, signOut) {
        this.#user = user;
        this.#signOut = signOut;
        this.#bank = client(token);

        this.#refresh(null);

        this.#live = new Live(token, {
            state: (state, seconds) => this.#connection(state, seconds),
            fresh: () => this.#fresh(),
            message: (event) => this.#told(event),
        });
    }


    close() {
        this.#closed = true;
        clearTimeout(this.#again);
        this.#live.close();
    }


    get selected() {
        return this.#selected;
    }


    /* What an account is called here, as far as we know it. */
    #label = (id) => {
        const payee = this.#payees.get(id);

        return !payee ? id
            : payee.owner === this.#user ? payee.name
            : `${say.named(payee.owner)}'s ${payee.name}`;
    };


    /* A name for the next account that is not taken yet. */
    get #suggestion() {
        return say.ACCOUNT_NAMES.find((name) =>
            !this.#payees.has(say.accountId(this.#user, name))) ?? 'Another';
    }


    select(account) {
        this.#selected = account;
        this.#show();
        this.#refresh(account);
    }


    /* Others may have opened accounts that nobody told us of. */
    lookForPayees() {
        this.#refresh(null);
    }


    /* --- commands --- */

    open(name) {
        const id = say.accountId(this.#user, name)
                   ?? `${this.#user}-${randomKey(6)}`;

        return this.send('open', id, { name });
    }


    /* Sends a command and shows its life in the feed. */
    send(type, account, body) {
        const sentence = say.commandSentence(type, account, this.#label, body);

        return this.#post({
            type, account, body, sentence,
            key: randomKey(),
            item: view.addItem(say.icon(type), sentence, new Date()),
        });
    }


    async #post(command) {
        const { type, account, body, key, item } = command;

        command.at = performance.now();
        this.#sending++;
        view.showProgress(item, 'sending', { words: { sent: 'sending' } });

        try {
            const { id, ms } = await this.#bank.command(account, type, body,
                                                        key);
            this.#accepted(command, id, ms);

        } catch (problem) {
            this.#refused(command, problem);

        } finally {
            this.#sending--;
        }

        /* an outcome that came before its 202 and is not ours is another's */

        if (this.#sending === 0) {
            for (const { event } of this.#early.values()) {
                this.#elsewhere(event);
            }
            this.#early.clear();
        }
    }


    #accepted(command, id, ms) {
        const { item } = command;

        command.id = id;
        command.posted = ms;
        item.dataset.command = id;

        view.showProgress(item, 'accepted', {
            words: { sent: 'sent', accepted: `202 · ${say.short(id)}`,
                     outcome: 'under way' },
        });

        this.#pending.set(id, command);

        const outcome = this.#early.get(id);

        if (outcome) {
            this.#early.delete(id);
            this.#settle(command, outcome);
            return;
        }

        this.#show();

        setTimeout(() => {
            if (this.#pending.has(id) && !command.unknown) {
                view.showProgress(item, 'accepted', {
                    reason: 'Still in the queue. It is safe there, and will '
                            + 'be carried out.',
                });
            }
        }, SLOW);
    }


    /* It never became a command, as far as we know. */
    #refused(command, problem) {
        if (!(problem instanceof Problem)) {
            throw problem;
        }

        view.showProgress(command.item, 'refused', {
            words: { sent: problem.status ? `refused · ${problem.status}`
                                          : 'no answer' },
            reason: problem.message,
        });
        view.announce(problem.message);

        if (problem.status === 401) {
            this.#signOut(problem.message);

        } else if (problem.status === 0 || problem.status >= 429) {
            view.offerAgain(command.item, () => this.#post(command));
        }
    }


    /* --- notifications --- */

    #told(event) {
        const at = performance.now();

        if (!event.type.startsWith(OUTCOME)) {
            this.#news(event);
            return;
        }

        const command = this.#pending.get(event.data.id);

        if (command) {
            this.#settle(command, { event, at });

        } else if (this.#sending > 0) {
            this.#early.set(event.data.id, { event, at });

        } else {
            this.#elsewhere(event);
        }
    }


    /* The outcome of a command that was sent from this tab. */
    async #settle(command, { event, at }) {
        const { type, account, item, sentence, posted } = command;
        const told = at - command.at;
        const outcome = event.type.slice(OUTCOME.length);
        const done = outcome === 'completed';
        const reason = done ? '' : say.sentence(event.data.message);

        this.#pending.delete(command.id);

        view.showProgress(item, outcome, {
            words: { outcome: done ? 'done' : outcome }, reason,
        });
        view.announce(done ? `${sentence}: done.`
                           : `${sentence}: ${outcome}. ${reason}`);

        const legs = [
            { name: 'post', from: 0, to: posted, text: say.took(posted) },
            { name: 'told', from: Math.min(posted, told), to: told,
              text: `after ${say.took(told)}` },
        ];

        view.showTrip(sentence, legs);
        this.#show();

        if (!done) {
            return;
        }

        if (type === 'open') {
            this.#selected = account;
        }

        const from = performance.now();

        await this.#refresh(type === 'open' ? null : account);

        const fetched = performance.now() - from;

        view.showTrip(sentence, [...legs, {
            name: 'get', from: told, to: told + fetched,
            text: say.took(fetched),
        }]);
    }


    /* The outcome of a command from another tab, or of a process manager. */
    #elsewhere({ type, data, time }) {
        const account = say.accountOf(data.stream);
        const outcome = type.slice(OUTCOME.length);
        const done = outcome === 'completed';

        const item = view.addItem(say.icon(data.command),
            say.commandSentence(data.command, account, this.#label),
            new Date(time));

        item.dataset.command = data.id;

        view.showProgress(item, outcome, {
            words: { sent: say.isOwn(data.command) ? 'by the bank' : 'elsewhere',
                     accepted: say.short(data.id),
                     outcome: done ? 'done' : outcome },
            reason: done ? '' : say.sentence(data.message),
        });

        if (done) {
            this.#refresh(data.command === 'open' ? null : account);
        }
    }


    /* What the domain has to say beyond the outcome of a command. */
    #news(event) {
        const { icon, sentence, account } = say.news(event, this.#label);
        const item = view.addItem(icon, sentence, new Date(event.time));

        item.dataset.news = event.type;
        view.announce(sentence);
        this.#refresh(account);
    }


    /* From here on nothing is missed, but until now something may have been. */
    #fresh() {
        for (const command of this.#pending.values()) {
            command.unknown = true;
            view.showProgress(command.item, 'unknown', {
                reason: 'Its outcome was not seen. The balances are current.',
            });
        }

        this.#refresh(null);
    }


    #connection(state, seconds) {
        switch (state) {

        case 'refused':
            this.#signOut('The bank closed the connection: '
                          + 'your sign-in is no longer valid.');
            return;

        case 'waiting':
            view.showConnection(state, seconds < 1 ? 'Reconnecting'
                : `Reconnecting in ${Math.ceil(seconds)} s`);

            /* a browser doesn't say why it got no socket; a query does */
            if (seconds > 1) {
                this.#refresh(null);
            }
            return;

        case 'resumed':
            view.showConnection(state, 'Back, nothing missed');
            setTimeout(() => {
                if (!this.#closed) {
                    view.calmConnection(state, 'live', 'Live');
                }
            }, RESUMED);
            return;

        default:
            view.showConnection(state, state === 'live' ? 'Live'
                                                        : 'Connecting');
        }
    }


    /* --- queries --- */

    /*
     * Fetches an account (null: all) and what hangs on it.  What changes while
     * a round of queries is under way goes into the next, so a burst of
     * notifications costs few queries.
     */
    #refresh(account) {
        const begin = () => {
            this.#next = null;
            return this.#fetchChanged();
        };

        this.#changed.add(account);
        this.#next ??= this.#round.then(begin, begin);
        this.#round = this.#next;

        return this.#next;
    }


    async #fetchChanged() {
        const changed = this.#changed;
        const all = changed.has(null) || changed.size > FEW;

        this.#changed = new Set();

        if (this.#closed) {
            return;
        }

        try {
            await (all ? this.#fetchAll()
                       : Promise.all(Array.from(changed,
                                                (id) => this.#fetch(id))));

            if (all || changed.has(this.#selected)) {
                await this.#fetchTransactions();
            }

            view.showProblem('');

        } catch (problem) {
            this.#unanswered(problem);
        }

        this.#show();
    }


    #unanswered(problem) {
        if (!(problem instanceof Problem)) {
            throw problem;
        }

        if (this.#closed) {
            return;
        }

        if (problem.status === 401) {
            this.#signOut(problem.message);
            return;
        }

        view.showProblem(`${problem.message} What you see may be out of date.`);
        clearTimeout(this.#again);
        this.#again = setTimeout(() => this.#refresh(null), AGAIN);
    }


    async #fetchAll() {
        const [own, payees] = await Promise.all([
            this.#bank.query('accounts', {
                select: 'id,owner,name,balance',
                owner: `eq.${this.#user}`,
                order: 'opened_at,id',
            }),
            this.#bank.query('payees', {
                select: 'id,owner,name',
                order: 'owner,name',
            }),
        ]);

        this.#accounts = new Map(own.rows.map((row) => [row.id, row]));
        this.#payees = new Map(payees.rows.map((row) => [row.id, row]));

        if (!this.#accounts.has(this.#selected)) {
            this.#selected = own.rows[0]?.id ?? null;
        }
    }


    async #fetch(id) {
        const { rows: [row] } = await this.#bank.query('accounts', {
            select: 'id,owner,name,balance',
            id: `eq.${id}`,
        });

        if (row?.owner === this.#user) {
            this.#accounts.set(id, row);
        }
    }


    async #fetchTransactions() {
        const account = this.#selected;

        if (account === null) {
            view.showTransactions(null, []);
            return;
        }

        const { rows } = await this.#bank.query('transactions', {
            select: 'at,type,amount,balance,counterparty',
            account: `eq.${account}`,
            order: 'version.desc',
            limit: TRANSACTIONS,
        });

        if (account === this.#selected) {
            view.showTransactions(this.#label(account), rows.map((row) =>
                say.transaction(row, this.#label)));
        }
    }


    #show() {
        if (this.#closed) {
            return;
        }

        const busy = new Set(Array.from(this.#pending.values())
            .filter(({ unknown }) => !unknown).map(({ account }) => account));

        view.showAccounts([...this.#accounts.values()], this.#selected, busy, {
            select: (account) => this.select(account),
            open: () => view.showOpenForm(this.#suggestion),
        });
        view.showMoveForm(this.#selected === null ? null
                                                  : this.#label(this.#selected));
        view.showPayees([...this.#payees.values()], this.#user, this.#selected);
    }
}
