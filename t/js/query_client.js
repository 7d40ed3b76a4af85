// What @supabase/postgrest-js reads of the shop of t/lib/query_schema.sql, as TAP.
//
//   node query_client.js URL TOKEN
//
// TOKEN is web_customer's, of the subject ada.  A read is a title, a query, and
// what of the client's answer is promised.

'use strict';

const assert = require('node:assert');
const { PostgrestClient } = require('@supabase/postgrest-js');

const [url, token] = process.argv.slice(2);
const shop = new PostgrestClient(url);
const customer = new PostgrestClient(url, { headers: { Authorization: `Bearer ${token}` } });

const ids = (...numbers) => ({ data: numbers.map((id) => ({ id })), error: null, status: 200 });
const from = (table, columns = 'id', options = undefined) =>
    shop.from(table).select(columns, options);

const filters = [
    ['eq', from('customers').eq('id', 2), ids(2)],
    ['neq', from('customers').neq('name', 'Ada').order('id'), ids(2, 3, 4)],
    ['gt', from('products').gt('price', 100).order('id'), ids(2, 3)],
    ['gte', from('products').gte('price', 20).order('id'), ids(1, 2, 3)],
    ['lt', from('products').lt('price', 20), ids(4)],
    ['lte', from('products').lte('price', 20).order('id'), ids(1, 4)],
    ['like', from('customers').like('name', '%d%').order('id'), ids(1, 3)],
    ['likeAllOf', from('customers').likeAllOf('name', ['A%', '%a']), ids(1)],
    ['likeAnyOf', from('customers').likeAnyOf('name', ['A%', 'B%']).order('id'), ids(1, 2)],
    ['ilike', from('customers').ilike('name', 'aDA'), ids(1)],
    ['ilikeAllOf', from('customers').ilikeAllOf('name', ['a%', '%A']), ids(1)],
    ['ilikeAnyOf', from('customers').ilikeAnyOf('name', ['ADA', 'BO']).order('id'), ids(1, 2)],
    ['is null', from('customers').is('email', null), ids(3)],
    ['is true', from('customers').is('active', true).order('id'), ids(1, 4)],
    ['is false', from('customers').is('active', false), ids(2)],
    ['in', from('customers').in('id', [1, 3]).order('id'), ids(1, 3)],
    ['in, a comma and quotes', from('customers').in('name', ['Bo', 'a,b', 'c(d)']), ids(2)],
    ['in, nothing', from('customers').in('id', []), ids()],
    ['contains, an array', from('products').contains('tags', ['wood']).order('id'), ids(1, 2)],
    ['contains, JSON', from('documents').contains('more', { n: 2 }), ids(2)],
    ['contains, a range', from('offers').contains('amount', '[4,5]'), ids(2)],
    ['containedBy, an array', from('documents').containedBy('list', [3, 4, 5]).order('id'),
        ids(2, 3)],
    ['containedBy, JSON', from('documents').containedBy('more', { a: { b: 'y' }, n: 2, x: 0 }),
        ids(2)],
    ['containedBy, a range', from('offers').containedBy('amount', '[0,7)').order('id'), ids(1, 2)],
    ['rangeGt', from('offers').rangeGt('amount', '[1,5]').order('id'), ids(3, 4)],
    ['rangeGte', from('offers').rangeGte('amount', '[6,7]').order('id'), ids(3, 4)],
    ['rangeLt', from('offers').rangeLt('amount', '[7,8]').order('id'), ids(1, 2)],
    ['rangeLte', from('offers').rangeLte('amount', '[1,6]').order('id'), ids(1, 2)],
    ['rangeAdjacent', from('offers').rangeAdjacent('amount', '[4,5]').order('id'), ids(1, 3)],
    ['overlaps, an array', from('documents').overlaps('list', [4, 1]).order('id'), ids(1, 2)],
    ['overlaps, a range', from('offers').overlaps('amount', '[3,5]').order('id'), ids(1, 2)],
    ['textSearch', from('articles').textSearch('search', "'cat' | 'fox'").order('id'), ids(1, 2)],
    ['textSearch, plain', from('articles')
        .textSearch('search', 'cats tables', { type: 'plain', config: 'english' }), ids(2)],
    ['textSearch, a phrase', from('articles')
        .textSearch('search', 'brown fox', { type: 'phrase' }), ids(1)],
    ['textSearch, as for a search engine', from('articles')
        .textSearch('search', 'unmögliche -Katze', { type: 'websearch', config: 'german' }),
    ids(3)],
    ['match', from('customers').match({ country: 'FR', name: 'Bo' }), ids(2)],
    ['not', from('customers').not('id', 'in', '(1,2)').order('id'), ids(3, 4)],
    ['not is', from('customers').not('email', 'is', null).order('id'), ids(1, 2, 4)],
    ['or', from('customers').or('id.eq.1,and(country.eq.FR,active.is.false)').order('id'),
        ids(1, 2)],
    ['filter', from('products').filter('price', 'gt', 300), ids(2)],
    ['filter, a JSON path', from('documents').filter('more->a->>b', 'eq', 'y'), ids(2)],
    ['filter, quantified', from('customers').filter('id', 'eq(any)', '{1,4}').order('id'),
        ids(1, 4)],
    ['a date, a percent sign, an umlaut', from('customers')
        .gt('born', '2000-01-01').eq('name', 'Dé 100%'), ids(4)],
    ['an awkward column', shop.from('Odd Names').select('"a.b,c:d(e)"').eq('"*"', 'star'),
        { data: [{ 'a.b,c:d(e)': 'dots' }], error: null }],
];

const shapes = [
    ['all columns', shop.from('countries').select().eq('code', 'AT'),
        { data: [{ code: 'AT', name: 'Austria' }], error: null, count: null, status: 200,
            statusText: 'OK' }],
    ['columns over several lines', from('customers', `
        number:id,
        name::text
     `).eq('id', 1), { data: [{ number: 1, name: 'Ada' }] }],
    ['a JSON path', from('documents', 'id, b:more->a->>b').eq('id', 1),
        { data: [{ id: 1, b: 'x' }] }],
    ['an aggregate', from('order_lines', 'order_id, quantity.sum()').order('order_id').limit(1),
        { data: [{ order_id: 1, sum: 5 }] }],
    ['an embed', from('customers', 'id, countries(name), orders(id, order_lines(quantity))')
        .eq('id', 2),
    { data: [{ id: 2, countries: { name: 'France' },
        orders: [{ id: 3, order_lines: [{ quantity: 2 }] }] }] }],
    ['an embed by a hint', from('orders', 'id, address:addresses!send_to(city)').eq('id', 3),
        { data: [{ id: 3, address: { city: 'Paris' } }] }],
    ['an embed that is ambiguous', from('orders', 'id, addresses(city)'),
        { data: null, status: 300, code: 'PGRST201' }],
    ['an inner embed, filtered', from('customers', 'id, orders!inner(id)')
        .eq('orders.status', 'sent'), { data: [{ id: 2, orders: [{ id: 3 }] }] }],
    ['an embed that is null', from('customers', 'id, orders()').is('orders', null), ids(4)],
    ['a spread', from('customers', 'id, ...countries(nation:name)').eq('id', 1),
        { data: [{ id: 1, nation: 'Austria' }] }],
    ['or, of an embed', from('customers', 'id, orders(id)').eq('id', 1)
        .or('status.eq.new,id.eq.9', { referencedTable: 'orders' }),
    { data: [{ id: 1, orders: [{ id: 2 }] }] }],
    ['order and limit, of an embed', from('customers', 'id, orders(id)').eq('id', 1)
        .order('id', { referencedTable: 'orders', ascending: false })
        .limit(1, { referencedTable: 'orders' }),
    { data: [{ id: 1, orders: [{ id: 2 }] }] }],
    ['range, of an embed', from('customers', 'id, orders(id)').eq('id', 1)
        .order('id', { referencedTable: 'orders' }).range(1, 3, { referencedTable: 'orders' }),
    { data: [{ id: 1, orders: [{ id: 2 }] }] }],
    ['order by an embed', from('customers', 'id, countries(name)').in('id', [1, 2])
        .order('countries(name)', { ascending: false }),
    { data: [{ id: 2, countries: { name: 'France' } }, { id: 1, countries: { name: 'Austria' } }] }],
    ['order, nulls first and last', from('customers')
        .order('rating', { nullsFirst: true }).order('id', { ascending: false }),
    ids(3, 2, 1, 4)],
    ['order, down and nulls last', from('customers')
        .order('rating', { ascending: false, nullsFirst: false }), ids(4, 1, 2, 3)],
    ['limit', from('customers').order('id').limit(2), ids(1, 2)],
    ['range', shop.from('numbers').select('n').order('n').range(10, 11),
        { data: [{ n: 11 }, { n: 12 }], status: 200 }],
    ['single', from('customers').eq('id', 1).single(), { data: { id: 1 }, error: null }],
    ['single, of none', from('customers').eq('id', 9).single(),
        { data: null, status: 406, code: 'PGRST116' }],
    ['single, of several', from('customers').single(),
        { data: null, status: 406, code: 'PGRST116' }],
    ['maybeSingle', from('customers').eq('id', 1).maybeSingle(), { data: { id: 1 }, error: null }],
    ['maybeSingle, of none', from('customers').eq('id', 9).maybeSingle(),
        { data: null, error: null, status: 200 }],
    ['csv', from('countries', '*').order('code').limit(2).csv(),
        { data: 'code,name\nAT,Austria\nFR,France', error: null }],
    ['geojson, of a database without PostGIS', from('countries', 'name').geojson(),
        { data: null, status: 404, code: '42883' }],
    ['explain', from('countries', '*').explain(), { data: /Seq Scan|Index/, error: null }],
    ['explain, analysed and as JSON', from('countries', '*')
        .explain({ analyze: true, verbose: true, settings: true, buffers: true, format: 'json' }),
    { data: (plan) => plan[0].Plan['Actual Rows'] === 1 }],
    ['rollback', from('customers').eq('id', 1).rollback(), ids(1)],
];

const counts = [
    ['head', from('customers', '*', { head: true }), { data: null, count: null, status: 200 }],
    ['head and an exact count', from('customers', '*', { head: true, count: 'exact' }),
        { data: null, count: 4, status: 200 }],
    ['an exact count of a page', from('customers', 'id', { count: 'exact' }).order('id').limit(1),
        { data: [{ id: 1 }], count: 4, status: 206, error: null }],
    ['an exact count of none', from('customers', 'id', { count: 'exact' }).eq('id', 9),
        { data: [], count: 0, error: null }],
    ['a planned count', from('numbers', 'n', { count: 'planned', head: true }), { count: 1000 }],
    ['an estimated count', from('customers', 'id', { count: 'estimated', head: true }),
        { count: 4 }],
    ['range beyond the end, counted', from('customers', 'id', { count: 'exact' }).range(10, 12),
        { data: null, status: 416, code: 'PGRST103' }],
];

const functions = [
    ['a scalar', shop.rpc('add', { a: 1, b: 2 }, { get: true }), { data: 3, error: null }],
    ['an argument left out', shop.rpc('greet', { name: 'Ada', punctuation: undefined },
        { get: true }), { data: 'Hello, Ada!' }],
    ['an array as argument', shop.rpc('sum_of', { numbers: [1, 2, 3] }, { get: true }),
        { data: 6 }],
    ['nothing returned', shop.rpc('nothing', {}, { get: true }),
        { data: null, error: null, status: 204 }],
    ['rows: select, filter, order and limit', shop.rpc('all_products', {}, { get: true })
        .select('id').gt('price', 10).order('id', { ascending: false }).limit(2), ids(3, 2)],
    ['rows: an embed', shop.rpc('customers_of', { country: 'AT' }, { get: true })
        .select('id, countries(name)'), { data: [{ id: 1, countries: { name: 'Austria' } }] }],
    ['rows: single', shop.rpc('customers_of', { country: 'AT' }, { get: true }).select('id')
        .single(), { data: { id: 1 } }],
    ['rows: counted', shop.rpc('all_products', {}, { get: true, count: 'exact' })
        .select('id').order('id').limit(1), { data: [{ id: 1 }], count: 5 }],
    ['head', shop.rpc('all_products', {}, { head: true, count: 'exact' }),
        { data: null, count: 5 }],
    ['an unknown one', shop.rpc('nobody', {}, { get: true }), { status: 404, code: 'PGRST202' }],
    ['one that writes', shop.rpc('write_number', {}, { get: true }),
        { status: 405, code: '25006' }],
    ['an exception', shop.rpc('raise_402', {}, { get: true }),
        { status: 402, code: 'PT402', message: 'Payment required' }],
];

const others = [
    ['schema', shop.schema('other').from('customers').select(),
        { data: [{ id: 1, nickname: 'the other one' }], error: null }],
    ['schema, a function', shop.schema('other').rpc('whoami', {}, { get: true }),
        { data: 'other' }],
    ['schema, one that is not exposed', shop.schema('hidden').from('suppliers').select(),
        { status: 406, code: 'PGRST106' }],
    ['a token', customer.from('messages').select('id').order('id'), ids(1, 3)],
    ['no token, and no right', shop.from('messages').select('id'), { status: 401, code: '42501' }],
    ['a header', shop.from('customers').select('created:joined').eq('id', 1)
        .setHeader('Prefer', 'timezone=America/Los_Angeles'),
    { data: [{ created: '2024-01-01T02:00:00-08:00' }] }],
    ['an unknown table', shop.from('customer').select(),
        { data: null, status: 404, code: 'PGRST205' }],
    ['an unknown column', from('customers', 'banana'),
        { data: null, status: 400, code: '42703',
            message: 'column customers.banana does not exist' }],
    ['throwOnError', thrown(from('customers', 'banana').throwOnError()),
        { name: 'PostgrestError', code: '42703', message: 'column customers.banana does not exist',
            details: null, hint: null }],
    ['throwOnError, without an error', from('customers').eq('id', 1).throwOnError(), ids(1)],
    ['abortSignal', aborted(), { data: null, status: 0, message: /^(Abort|Timeout)Error/ }],
    ['abortSignal, not aborted', from('customers').eq('id', 1)
        .abortSignal(new AbortController().signal), ids(1)],
    ['after an abort', from('customers').eq('id', 1), ids(1)],
];

async function thrown(query) {
    try {
        await query;
    } catch (error) {
        return { name: error.name, code: error.code, message: error.message,
            details: error.details, hint: error.hint };
    }

    return { name: 'nothing was thrown' };
}

// The query has reached the server when its time is over: it never ends by itself.
async function aborted() {
    return shop.rpc('nap', { seconds: 60 }, { get: true }).abortSignal(AbortSignal.timeout(300));
}

function compare(answer, promised) {
    for (const [key, value] of Object.entries(promised)) {
        const given = answer[key] !== undefined ? answer[key] : answer.error?.[key];

        if (value instanceof RegExp) {
            assert.match(String(given), value);
        } else if (typeof value === 'function') {
            assert.ok(value(given), JSON.stringify(given));
        } else {
            assert.deepStrictEqual(given, value);
        }
    }
}

async function main() {
    let number = 0;
    const kinds = { filter: filters, shape: shapes, count: counts, rpc: functions, client: others };

    for (const [kind, reads] of Object.entries(kinds)) {
        for (const [title, query, promised] of reads) {
            const answer = await query;
            number += 1;

            try {
                compare(answer, promised);
                console.log(`ok ${number} - ${kind}: ${title}`);
            } catch (error) {
                console.log(`not ok ${number} - ${kind}: ${title}`);
                console.log(`${error.message}\nanswer: ${JSON.stringify(answer)}`
                    .replace(/^/gm, '# '));
            }
        }
    }

    console.log(`1..${number}`);
}

main();
