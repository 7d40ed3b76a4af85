# Who reads: roles, tokens, what the transaction knows of the request.

use strict;
use utf8;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Jwt;
use Cqrs::Shop;

my $shop = Cqrs::Shop->new(
    sql       => <<'SQL',
create function extra.check_request() returns void language plpgsql stable as $$
begin
    if current_setting('request.headers')::json->>'x-shop' = 'closed' then
        raise sqlstate 'PT423' using message = 'Closed';
    end if;
    perform set_config('response.headers', '[{"X-Role": "' || current_user || '"}]', true);
end $$;
create function shop.leave(name text) returns text language sql stable as $$
    select set_config('response.headers', '[{"X-Left": "yes"}]', false) $$;
create function shop.patience() returns text language sql stable as $$
    select current_setting('statement_timeout') $$;
do $$ begin
    execute format('alter role web_clerk in database %I set statement_timeout = %L',
                   current_database(), '123s');
end $$;
grant usage on schema shop to web_authenticator;
grant select on shop.countries to web_authenticator;
SQL
    server    => 'cqrs_query_setting app.name "shop of $host"; cqrs_query_setting app.fixed 7;',
    locations => {
        '/needed/'  => 'cqrs_jwt required; cqrs_query schema=shop;',
        '/nobody/'  => 'cqrs_query_anonymous_role off; cqrs_query_role_claim .role; cqrs_query schema=shop;',
        '/path/'    => q{cqrs_query_role_claim '$.app.roles[?(@ ^== "web_")]'; cqrs_query schema=shop;},
        '/aud/'     => 'cqrs_jwt_audience shop; cqrs_query schema=shop;',
        '/user/'    => 'cqrs_query_anonymous_role off; cqrs_query schema=shop;',
        '/silent/'  => 'cqrs_query_anonymous_role off; cqrs_query_settings off; cqrs_query schema=shop;',
        '/checked/' => 'cqrs_query_pre_request extra.check_request; cqrs_query schema=shop;',
        '/rome/'    => 'cqrs_query_timezone Europe/Rome; cqrs_query schema=shop;',
    },
);

$shop->check(\*DATA);

subtest 'what is wrong with a token is told' => sub {
    my $now = time;
    my @bad = (
        [ 'a.b',                                                   'PGRST301', qr/got 2\z/ ],
        [ 'a.b.c',                                                 'PGRST301', qr/cryptographic/ ],
        [ token({ role => 'web_clerk' }, key => 'another secret'), 'PGRST301', qr/No suitable key/ ],
        [ token({ role => 'web_clerk' }, alg => 'HS512'),          'PGRST301', qr/No suitable key/ ],
        [ token({ role => 'web_clerk' }, alg => 'none'),           'PGRST301', qr/cryptographic/ ],
        [ token({}, alg => 'none', sign => 'HS256'),               'PGRST301', qr/unsupported/ ],
        [ token({ exp => $now - 60 }),                             'PGRST303', qr/^JWT expired\z/ ],
        [ token({ nbf => $now + 60 }),                             'PGRST303', qr/^JWT not yet valid\z/ ],
        [ token({ iat => $now + 60 }),                             'PGRST303', qr/^JWT issued at future\z/ ],
        [ token({ exp => 'soon' }),                                'PGRST303', qr/'exp'/ ],
        [ token({ nbf => [] }),                                    'PGRST303', qr/'nbf'/ ],
        [ token({ iat => {} }),                                    'PGRST303', qr/'iat'/ ],
        [ token({ aud => { a => 1 } }),                            'PGRST303', qr/'aud'/ ],
        [ token({ aud => [ 'a', 1 ] }),                            'PGRST303', qr/'aud'/ ],
    );
    refused('/rpc/role', @$_) for @bad;

    refused('/rpc/role', '', 'PGRST301', qr/Empty JWT/);
    refused('/aud/rpc/role', token({ aud => 'another' }), 'PGRST303', qr/audience/);
};

subtest 'what is not wrong with it is taken' => sub {
    my $now = time;
    for my $claims ({ exp => $now - 20 }, { nbf => $now + 20 }, { iat => $now + 20 }, { aud => 'any' }) {
        is(role('/rpc/role', { role => 'web_clerk', %$claims }), 'web_clerk', JSON::encode_json($claims));
    }
    for my $aud ('shop', [ 'a', 'shop' ], [], undef) {
        is(role('/aud/rpc/role', { role => 'web_clerk', aud => $aud }),
            'web_clerk', 'aud ' . JSON->new->allow_nonref->encode($aud));
    }
    is(role('/aud/rpc/role', { role => 'web_clerk' }), 'web_clerk', 'no aud');
};

subtest 'the role is where the path leads' => sub {
    is(role('/path/rpc/role', { app => { roles => [ 'admin', 'web_clerk' ] } }), 'web_clerk', 'by a condition');
    is(role('/path/rpc/role', { app => { roles => ['admin'] } }), 'web_anonymous', 'else there is none');
    is(role('/path/rpc/role', { role => 'web_clerk' }), 'web_anonymous', 'nor elsewhere');
    is(role('/rpc/role', { role => undef }), 'web_anonymous', 'null is no role');
    is(role('/rpc/role', { sub => 'ada' }), 'web_anonymous', 'nor is one who has none');
};

subtest 'a role that does not exist is no way in' => sub {
    for my $name ('nobody', '', 'none', 'web_authenticator"', 7, "x'; set role postgres--") {
        my $answer = get('/rpc/role', token({ role => $name }));
        is($answer->{status}, 401, "role \"$name\"") or diag($answer->{body});
        is($answer->{headers}{'www-authenticate'}, 'Bearer', '... and how to come in');
    }
};

subtest 'a setting that a function leaves behind is for nobody else' => sub {
    is(get('/rpc/leave?name=x')->{headers}{'x-left'}, 'yes', 'it is for its own answer');
    for (1 .. 4) {
        ok(!exists get('/rpc/role')->{headers}{'x-left'}, 'not for the next one');
    }
};

$shop->stop;
done_testing;


sub token {
    my ($claims, %args) = @_;

    return Cqrs::Jwt::token($claims, key => Cqrs::Shop::SECRET, %args);
}

sub get {
    my ($path, $token) = @_;

    return $shop->http->get($path, { defined $token ? (Authorization => "Bearer $token") : () });
}

sub role {
    my ($path, $claims) = @_;

    my $answer = get($path, token($claims));
    return $answer->{status} == 200 ? JSON->new->allow_nonref->decode($answer->{body}) : $answer->{body};
}

sub refused {
    my ($path, $token, $code, $message) = @_;

    my $answer = get($path, $token);
    my $error = eval { JSON::decode_json($answer->{body}) } || {};

    is($answer->{status}, 401, "$message") or diag($answer->{body});
    is($error->{code}, $code, '... its code');
    like($error->{message}, $message, '... its message');
    is($answer->{headers}{'www-authenticate'},
        qq(Bearer error="invalid_token", error_description="$error->{message}"), '... and challenge');
    is($answer->{headers}{'proxy-status'}, "PostgREST; error=$code", '... and Proxy-Status');
}

__DATA__
=== without a token the anonymous role reads
GET /rpc/role
200 "web_anonymous"

GET /rpc/role
> Authorization: Basic YTpi
200 "web_anonymous"

=== a token names the role
GET /rpc/role
> Authorization: Bearer {customer}
200 "web_customer"

GET /rpc/role
> Authorization: bearer {clerk}
200 "web_clerk"

=== what is set for a role is set for its queries
GET /rpc/patience
> Authorization: Bearer {clerk}
200 "123s"

GET /rpc/patience
200 "0"

=== policies see the claims
GET /messages?select=id&order=id
> Authorization: Bearer {customer:ada}
200 [{"id":1},{"id":3}]

GET /messages?select=id&order=id
> Authorization: Bearer {customer:bo}
200 [{"id":2}]

GET /messages?select=id&order=id
> Authorization: Bearer {clerk}
200 [{"id":1},{"id":2},{"id":3}]

=== who may not is 401 without a token and 403 with one
GET /secrets
401 {"code":"42501","message":"permission denied for table secrets"}
< WWW-Authenticate: Bearer
< Proxy-Status: PostgREST; error=42501

GET /secrets
> Authorization: Bearer {customer}
403 {"code":"42501"}
< ! WWW-Authenticate

GET /secrets?select=id
> Authorization: Bearer {clerk}
200 [{"id":1}]

=== where a token is needed nobody is anonymous
GET /needed/countries
401 {"code":"PGRST302","message":"Anonymous access is disabled","details":null,"hint":null}
< WWW-Authenticate: Bearer

GET /nobody/countries
401 {"code":"PGRST302"}

GET /nobody/rpc/role
> Authorization: Bearer {clerk}
200 "web_clerk"

=== where no role is configured the connection's own user reads
GET /user/rpc/role
200 "web_authenticator"

GET /user/rpc/role
> Authorization: Bearer {clerk}
200 "web_authenticator"

GET /user/countries?limit=1&order=code
200 [{"code":"AT","name":"Austria"}]

=== its token is in the settings still
GET /user/rpc/setting?name=request.jwt.claims
> Authorization: Bearer {clerk}
200 "{\"role\":\"web_clerk\"}"

=== claims have the role always
GET /rpc/setting?name=request.jwt.claims
200 "{\"role\":\"web_anonymous\"}"

GET /rpc/setting?name=request.jwt.claims
> Authorization: Bearer {customer:ada}
200 "{\"role\":\"web_customer\",\"sub\":\"ada\"}"

=== functions see the request
GET /rpc/setting?name=request.method
200 "GET"

GET /checked/rpc/setting?name=request.path
200 "/rpc/setting"

GET /rpc/setting?name=request.cookies
> Cookie: a=1; b=x=y
200 "{\"a\":\"1\",\"b\":\"x=y\"}"

GET /rpc/setting?name=request.cookies
200 "{}"

GET /rpc/setting?name=request.headers
> X-Odd: "quoted" \ back
> Cookie: secret=1
200 ~ \\"x-odd\\":\\"\\\\\\"quoted\\\\\\" \\\\\\\\ back\\"

GET /rpc/setting?name=search_path
200 "\"shop\", \"extra\""

GET /rpc/setting?name=search_path
> Accept-Profile: shop
200 "\"shop\", \"extra\""

=== and what the configuration sets
GET /rpc/setting?name=app.fixed
200 "7"

GET /rpc/setting?name=app.name
200 ~ shop of (?:localhost|127\.0\.0\.1)

=== a function's own limits hold for its call
GET /rpc/with_settings
200 "5MB"

=== without settings nothing is set
GET /silent/rpc/setting?name=request.method
200 ~ ^(?:null|"")$

GET /silent/countries?limit=1&order=code
200 [{"code":"AT","name":"Austria"}]

=== a function that goes before sees the request, and may end it
GET /checked/countries?limit=1
200
< X-Role: web_anonymous

GET /checked/rpc/role
> Authorization: Bearer {clerk}
200 "web_clerk"
< X-Role: web_clerk

GET /checked/countries
> X-Shop: closed
423 {"code":"PT423","message":"Closed"}

=== the time zone is the configuration's, or the client's
GET /rome/rpc/setting?name=timezone
200 "Europe/Rome"

GET /rome/rpc/setting?name=timezone
> Prefer: timezone=Asia/Tokyo
200 "Asia/Tokyo"
< Preference-Applied: timezone=Asia/Tokyo

GET /rpc/setting?name=timezone
> Prefer: timezone=Nowhere/At_All
400 {"code":"22023"}

=== reading is all that is done, whoever asks
GET /rpc/write_number
> Authorization: Bearer {clerk}
405 {"code":"25006"}
