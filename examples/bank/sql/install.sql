-- The bank: domain (schema bank) and what may be read of it (schema api).

\set ON_ERROR_STOP on

begin;

set local client_min_messages = warning;

\ir tables.sql
\ir decide.sql
\ir evolve.sql
\ir project.sql
\ir react.sql
\ir notify.sql
\ir fold.sql
\ir audit.sql
\ir api.sql
\ir register.sql

commit;
