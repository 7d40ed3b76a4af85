create schema if not exists cqrs;

comment on schema cqrs is 'Event store of ngx_cqrs. Tables are written only by the functions of this schema.';
