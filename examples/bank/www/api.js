/*
 * Talking to the server.
 *
 * A query is a GET below /api/, answered with rows at once.  A command is a
 * POST, answered 202 when it is safe in RabbitMQ; what became of it is told by
 * a notification later, see live.js.  Whatever goes wrong is thrown as a
 * Problem whose message is a sentence for the person in front of the page.
 */

const TIMEOUT = 15_000;

const SENTENCES = {
    0: 'No connection to the bank.',
    400: 'The bank did not understand that request.',
    401: 'Your sign-in is no longer valid.',
    403: 'You may not do that.',
    404: 'There is no such thing at this bank.',
    409: 'Somebody else was faster; look at the new balance and try again.',
    413: 'That request is too large.',
    422: 'The bank refused that.',
    429: 'That was too quick; wait a moment and try again.',
    503: 'The bank is busy; try again in a moment.',
    504: 'The bank took too long to answer.',
};


/* What went wrong: status is 0 when there was no answer at all. */
export class Problem extends Error {
    constructor(status, sentence) {
        super(sentence || SENTENCES[status]
              || `Something went wrong at the bank (${status}).`);
        this.status = status;
    }
}


/* Makes { query, command } that speak for the user this token names. */
export function client(token) {

    async function send(path, init) {
        const from = performance.now();

        const answer = await fetch(path, {
            ...init,
            cache: 'no-store',
            signal: AbortSignal.timeout(TIMEOUT),
            headers: { ...init.headers, Authorization: `Bearer ${token}` },
        }).catch((error) => {
            throw new Problem(error.name === 'TimeoutError' ? 504 : 0);
        });

        if (!answer.ok) {
            throw await problem(answer);
        }

        return { answer, from };
    }


    /* Resolves to { rows, ms }. */
    async function query(path, params) {
        const { answer, from } = await send(
            `/api/${path}?${new URLSearchParams(params)}`, { method: 'GET' });

        const rows = await answer.json().catch(() => {
            throw new Problem(0);
        });

        return { rows, ms: performance.now() - from };
    }


    /*
     * Resolves to { id, ms } when the command was accepted.  The key makes a
     * repetition the same command, so that trying again is always safe.
     */
    async function command(account, type, body, key) {
        const { answer, from } = await send(
            `/accounts/${encodeURIComponent(account)}/${type}`, {
                method: 'POST',
                headers: {
                    'Content-Type': 'application/json',
                    'Idempotency-Key': key,
                },
                body: JSON.stringify(body),
            });

        return {
            id: answer.headers.get('Command-Id'),
            ms: performance.now() - from,
        };
    }

    return { query, command };
}


/* The sentence of a problem document (RFC 9457), or one for its status. */
async function problem(answer) {
    const type = answer.headers.get('Content-Type') || '';

    if (/^application\/(problem\+)?json\b/.test(type)) {
        const doc = await answer.json().catch(() => null);
        return new Problem(answer.status, doc?.detail || doc?.title);
    }

    return new Problem(answer.status);
}


/* A random key; crypto.randomUUID() is there on https and localhost only. */
export function randomKey(length = 24) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    return Array.from(bytes, (byte) => (byte % 36).toString(36)).join('');
}
