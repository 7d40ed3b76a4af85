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


function primary() {
    let port = 0;
    let ready = 0;

    const more = () => cluster.fork({ BENCH_PORT: String(port) });

    cluster.on('listening', (worker, address) => {
        port = address.port;

        if (++ready === PROCESSES) {
            console.log(`listening ${port}`);
        } else {
            more();
        }
    });

    cluster.on('exit', (worker, code) => process.exit(code || 1));
    more();
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

    await app.listen({ host: '127.0.0.1', port: Number(process.env.BENCH_PORT) });
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
