/*
 * A signed-in user.
 *
 * A session sends commands, keeps each until its outcome is told, and has the
 * books fetch what a notification says has changed.
 */

import { Problem, client, randomKey } from './api.js';
import { Books } from './books.js';
import { Live } from './live.js';
import * as say from './say.js';
import * as view from './view.js';

const SLOW = 6_000;
const RESUMED = 4_000;

const OUTCOME = 'cqrs.command.';


export class Session {
    #user;
    #signOut;
    #bank;
    #books;
    #live;
    #closed = false;

    #pending = new Map();       /* commands without outcome, by id */
    #sending = 0;               /* POSTs whose answer, so their id, is not in */
    #early = new Map();         /* outcomes that overtook the answer, by id */


    /* signOut(why) is called when the server no longer takes the token. */
    constructor(user, token, signOut) {
        this.#user = user;
        this.#signOut = signOut;
        this.#bank = client(token);

        this.#books = new Books(this.#bank, user, {
            busy: (account) => this.#isBusy(account),
            failed: (problem) => this.#failed(problem),
        });

        this.#live = new Live(token, {
            state: (state, seconds) => this.#connection(state, seconds),
            fresh: () => this.#fresh(),
            message: (event) => this.#told(event),
        });
    }


    close() {
        this.#closed = true;
        this.#books.close();
        this.#live.close();
    }


    get books() {
        return this.#books;
    }


    /* --- commands --- */

    open(name) {
        const id = say.accountId(this.#user, name)
                   ?? `${this.#user}-${randomKey(6)}`;

        return this.send('open', id, { name });
    }


    /* Sends a command and shows its life in the feed. */
    send(type, account, body) {
        const sentence = say.commandSentence(type, account,
                                             this.#books.label, body);

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

        this.#books.show();

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


    #isBusy(account) {
        return Array.from(this.#pending.values()).some((command) =>
            command.account === account && !command.unknown);
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
        this.#books.show();

        if (!done) {
            return;
        }

        const from = performance.now();

        await this.#books.refresh(type === 'open' ? null : account);

        const fetched = performance.now() - from;

        view.showTrip(sentence, [...legs, {
            name: 'get', from: told, to: told + fetched,
            text: say.took(fetched),
        }]);

        if (type === 'open') {
            this.#books.selected = account;
        }
    }


    /* The outcome of a command from another tab, or of a process manager. */
    #elsewhere({ type, data, time }) {
        const account = say.accountOf(data.stream);
        const outcome = type.slice(OUTCOME.length);
        const done = outcome === 'completed';

        const item = view.addItem(say.icon(data.command),
            say.commandSentence(data.command, account, this.#books.label),
            new Date(time));

        item.dataset.command = data.id;

        view.showProgress(item, outcome, {
            words: { sent: say.isOwn(data.command) ? 'by the bank' : 'elsewhere',
                     accepted: say.short(data.id),
                     outcome: done ? 'done' : outcome },
            reason: done ? '' : say.sentence(data.message),
        });

        if (done) {
            this.#books.refresh(data.command === 'open' ? null : account);
        }
    }


    /* What the domain has to say beyond the outcome of a command. */
    #news(event) {
        const { icon, sentence, account } = say.news(event, this.#books.label);
        const item = view.addItem(icon, sentence, new Date(event.time));

        item.dataset.news = event.type;
        view.announce(sentence);
        this.#books.refresh(account);
    }


    /* From here on nothing is missed, but until now something may have been. */
    #fresh() {
        for (const command of this.#pending.values()) {
            command.unknown = true;
            view.showProgress(command.item, 'unknown', {
                reason: 'Its outcome was not seen. The balances are current.',
            });
        }

        this.#books.refresh(null);
    }


    #failed({ status, message }) {
        if (status === 401) {
            this.#signOut(message);
        } else {
            view.showProblem(`${message} What you see may be out of date.`);
        }
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
                this.#books.refresh(null);
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
}
