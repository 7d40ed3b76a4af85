// POST to 202 as one would write it by hand: fastify takes the command, amqplib
// publishes it and waits for the confirm.
//
//   node server.js PORT AMQP-URL
//
// It says "ready" when it listens.

import { randomUUID } from 'node:crypto';

import amqp from 'amqplib';
import fastify from 'fastify';

const [port, url] = process.argv.slice(2);

const connection = await amqp.connect(url, { noDelay: true });
connection.on('error', () => process.exit(1));

const channel = await connection.createConfirmChannel();

function publish(type, stream, body) {
    const id = randomUUID();

    return new Promise((resolve, reject) => {
        channel.publish('cqrs.commands', `${type}.0`, Buffer.from(JSON.stringify(body)), {
            mandatory: true,
            persistent: true,
            contentType: 'application/json',
            messageId: id,
            timestamp: Math.floor(Date.now() / 1000),
            type,
            headers: { stream, user: 'bench' },
        }, (error) => error ? reject(error) : resolve(id));
    });
}

const app = fastify();

app.post('/accounts/:account/:command', async (request, reply) => {
    const { account, command } = request.params;
    const id = await publish(command, `account-${account}`, request.body);

    reply.code(202).header('Command-Id', id).send();
});

await app.listen({ host: '127.0.0.1', port: Number(port) });
console.log('ready');
