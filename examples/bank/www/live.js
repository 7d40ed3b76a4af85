/*
 * The notifications of the signed-in user, over a WebSocket.
 *
 * Each message carries a cursor.  When the connection is lost we come back
 * with the last one and are sent what we missed; if that is too much, or if
 * messages were lost on the way, the server says cqrs.reset and everything
 * must be fetched anew.  A message is handed on once, however often it comes.
 *
 * on.state(name, seconds)  connecting, live, resumed, waiting, refused
 * on.fresh()               from here on nothing is missed: fetch everything
 * on.message(event)        a notification, a CloudEvent
 */

const FIRST_DELAY = 250;
const LAST_DELAY = 10_000;
const HANDSHAKE = 8_000;
const REMEMBERED = 2_000;

const RESTARTING = 1012;
const POLICY = 1008;


export class Live {
    #token;
    #on;
    #socket = null;
    #cursor = null;
    #resuming = false;
    #attempts = 0;
    #timer = 0;
    #seen = new Set();

    constructor(token, on) {
        this.#token = token;
        this.#on = on;
        addEventListener('online', this.#now);
        document.addEventListener('visibilitychange', this.#now);
        this.#connect();
    }


    close() {
        removeEventListener('online', this.#now);
        document.removeEventListener('visibilitychange', this.#now);
        clearTimeout(this.#timer);
        this.#drop();
    }


    /* The network is back, or somebody looks at us: don't wait any longer. */
    #now = () => {
        if (!this.#socket && !document.hidden) {
            clearTimeout(this.#timer);
            this.#connect();
        }
    };


    #connect() {
        const url = new URL('/notifications', location.href);

        url.protocol = url.protocol.replace('http', 'ws');
        url.searchParams.set('access_token', this.#token);

        this.#resuming = this.#cursor !== null;

        if (this.#resuming) {
            url.searchParams.set('cursor', this.#cursor);
        } else {
            this.#on.state('connecting');
        }

        const socket = new WebSocket(url);

        socket.onmessage = (event) => this.#receive(event.data);
        socket.onclose = (event) => this.#lost(event);

        this.#socket = socket;
        this.#timer = setTimeout(() => this.#lost({ code: 0 }), HANDSHAKE);
    }


    #drop() {
        if (this.#socket) {
            this.#socket.onmessage = this.#socket.onclose = null;
            this.#socket.close();
            this.#socket = null;
        }
    }


    #lost({ code }) {
        clearTimeout(this.#timer);
        this.#drop();

        if (code === POLICY) {
            this.#on.state('refused');
            return;
        }

        /* nginx reloads: it takes new connections already */

        const delay = code === RESTARTING && this.#attempts === 0
            ? FIRST_DELAY
            : Math.min(LAST_DELAY, FIRST_DELAY * 2 ** ++this.#attempts);

        const jittered = delay * (0.5 + Math.random() / 2);

        this.#on.state('waiting', jittered / 1000);
        this.#timer = setTimeout(() => this.#connect(), jittered);
    }


    #receive(text) {
        let message;

        try {
            message = JSON.parse(text);
        } catch {
            return;                        /* not of our kind */
        }

        switch (message.type) {

        case 'cqrs.subscribed':
            this.#opened();

            /* a resumed connection goes on from where we were */
            if (this.#resuming) {
                this.#on.state('resumed');
                return;
            }

            this.#cursor = message.cursor ?? null;
            this.#on.state('live');
            this.#on.fresh();
            return;

        case 'cqrs.reset':
            this.#opened();
            this.#cursor = message.cursor ?? null;
            this.#on.state('live');
            this.#on.fresh();
            return;
        }

        this.#cursor = message.cursor ?? this.#cursor;

        if (!this.#remember(message.id)) {
            return;
        }

        this.#on.message(message);
    }


    #opened() {
        clearTimeout(this.#timer);
        this.#attempts = 0;
    }


    /* False if we had this one before. */
    #remember(id) {
        if (this.#seen.has(id)) {
            return false;
        }

        this.#seen.add(id);

        if (this.#seen.size > REMEMBERED) {
            this.#seen.delete(this.#seen.values().next().value);
        }

        return true;
    }
}
