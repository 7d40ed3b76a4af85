// POST to 202 as one would write it by hand: fastify takes the command, amqplib
// publishes it and waits for the confirm.
//
//   node command.js AMQP-URL
//
// It says "listening PORT" when it is ready.

'use strict';

const { randomUUID } = require('node:crypto');


async function serve(url) {
    const app = require('fastify')();
    const connection = await require('amqplib').connect(url, { noDelay: true });

    connection.on('error', () => process.exit(1));

    const channel = await connection.createConfirmChannel();

    app.post('/accounts/:account/:command', async (request, reply) => {
        const { account, command } = request.params;
        const id = randomUUID();
        const body = Buffer.from(JSON.stringify(request.body));

        await new Promise((resolve, reject) => {
            channel.publish('cqrs.commands', `${command}.0`, body, {
                mandatory: true,
                persistent: true,
                contentType: 'application/json',
                messageId: id,
                timestamp: Math.floor(Date.now() / 1000),
                type: command,
                headers: { stream: `account-${account}`, user: 'bench' },
            }, (error) => error ? reject(error) : resolve());
        });

        reply.code(202).header('Command-Id', id).send();
    });

    await app.listen({ host: '127.0.0.1', port: 0 });
    console.log(`listening ${app.server.address().port}`);
}


serve(process.argv[2]).catch((error) => {
    console.error(error.message);
    process.exit(1);
});
