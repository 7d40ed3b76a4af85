/*
 * What we know of the bank: the user's accounts, where money can be sent, and
 * the statement of the account that is selected.
 *
 * Nothing is assumed: a balance on the page is one that a query has answered.
 * What changes while queries are under way is fetched in the next round, so a
 * burst of notifications costs few queries.
 *
 * on.busy(account)     whether a command for this account is under way
 * on.failed(problem)   a query was not answered; it is tried again
 */

import { Problem } from './api.js';
import * as say from './say.js';
import * as view from './view.js';

const TRANSACTIONS = 12;
const FEW = 4;                  /* changed accounts that are fetched singly */
const AGAIN = 3_000;


export class Books {
    #bank;
    #user;
    #on;
    #closed = false;

    #accounts = new Map();
    #payees = new Map();        /* everybody's accounts: owner and name */
    #selected = null;

    #changed = new Set();       /* accounts to fetch; null: all */
    #round = Promise.resolve(); /* the last round of queries, running or not */
    #next = null;               /* the one that has not begun */
    #again = 0;


    constructor(bank, user, on) {
        this.#bank = bank;
        this.#user = user;
        this.#on = on;
        this.refresh(null);
    }


    close() {
        this.#closed = true;
        clearTimeout(this.#again);
    }


    get selected() {
        return this.#selected;
    }


    set selected(account) {
        this.#selected = account;
        this.show();
        this.refresh(account);
    }


    /* What an account is called here, as far as we know it. */
    label = (id) => {
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


    show() {
        if (this.#closed) {
            return;
        }

        const selected = this.#selected;

        view.showAccounts([...this.#accounts.values()], selected, this.#on.busy,
        {
            select: (account) => { this.selected = account; },
            open: () => view.showOpenForm(this.#suggestion),
        });
        view.showMoveForm(selected === null ? null : this.label(selected));
        view.showPayees([...this.#payees.values()], this.#user, selected);
    }


    /*
     * Fetches an account (null: all) and what hangs on it; resolves when it is
     * on the page.
     */
    refresh(account) {
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

            const statement = all || changed.has(this.#selected)
                ? await this.#statement() : null;

            if (this.#closed) {
                return;
            }

            if (statement) {
                view.showTransactions(...statement);
            }

            view.showProblem('');
            this.show();

        } catch (problem) {
            this.#unanswered(problem);
        }
    }


    #unanswered(problem) {
        if (!(problem instanceof Problem)) {
            throw problem;
        }

        if (!this.#closed) {
            clearTimeout(this.#again);
            this.#again = setTimeout(() => this.refresh(null), AGAIN);
            this.#on.failed(problem);
        }
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


    /* The name of the selected account, null without one, and its lines. */
    async #statement() {
        const account = this.#selected;

        if (account === null) {
            return [null, []];
        }

        const { rows } = await this.#bank.query('transactions', {
            select: 'at,type,amount,balance,counterparty',
            account: `eq.${account}`,
            order: 'version.desc',
            limit: TRANSACTIONS,
        });

        /* another may have been selected meanwhile: its own are on the way */

        return account !== this.#selected ? null : [
            this.label(account),
            rows.map((row) => say.transaction(row, this.label)),
        ];
    }
}
