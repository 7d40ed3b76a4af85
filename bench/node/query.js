// The queries of the benchmark, answered by fastify and pg in two processes, as
// an application server would: prepared statements, and a pool for each.
//
//   node query.js CONNINFO-JSON POOL
//
// It says "listening PORT" when all of it is ready.

'use strict';

const cluster = require('node:cluster');

const PROCESSES = 2;

const ROW = 'select id, owner, balance, opened::text from api.accounts'
          + ' where id = $1';
const PAGE = 'select id, owner, balance, opened::text from api.accounts'
           + ' where branch = $1 order by id limit 100';


// All workers get the same port when they ask for any.
function primary() {
    let ready = 0;

    cluster.on('listening', (worker, address) => {
        if (++ready === PROCESSES) {
            console.log(`listening ${address.port}`);
        }
    });

    cluster.on('exit', (worker, code) => process.exit(code || 1));

    for (let n = 0; n < PROCESSES; n++) {
        cluster.fork();
    }
}


async function serve(connection, pool) {
    const { Pool, types } = require('pg');
    const app = require('fastify')();

    types.setTypeParser(types.builtins.INT8, Number);

    const db = new Pool({ ...connection, max: pool });

    app.get('/row/:id', async (request) => {
        const found = await db.query({
            name: 'row', text: ROW, values: [request.params.id],
        });
        return found.rows;
    });

    app.get('/page/:branch', async (request) => {
        const found = await db.query({
            name: 'page', text: PAGE, values: [request.params.branch],
        });
        return found.rows;
    });

    await app.listen({ host: '127.0.0.1', port: 0 });
}


const [connection, pool] = process.argv.slice(2);

if (cluster.isPrimary) {
    primary();
} else {
    serve(JSON.parse(connection), Number(pool)).catch((error) => {
        console.error(error.message);
        process.exit(1);
    });
}
