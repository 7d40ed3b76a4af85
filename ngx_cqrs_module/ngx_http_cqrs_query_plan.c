
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The statements of a query, all sent at once:
 *
 *     the settings of the transaction
 *     the function that goes before every query
 *     the query itself
 *     what functions have said of the answer, where the query does not tell
 *     how many rows Postgres guesses there are
 */

#include "ngx_http_cqrs_query_ctx.h"

#include "cqrs_buf.h"
#include "cqrs_negotiate.h"


/* What is read, and how it will be answered. */
typedef struct {
    const cqrs_catalog_t   *catalog;
    const cqrs_relation_t  *relation;
    const cqrs_function_t  *function;
    ngx_uint_t              refused;       /* nothing accepted can be made */
    cqrs_query_error_t      error;         /* then this says so */
} ngx_http_cqrs_query_target_t;


static ngx_int_t ngx_http_cqrs_query_consider(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_target_t *target, cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_plan_main(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_target_t *target, cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_find(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_target_t *target, cqrs_query_error_t *error);
static void ngx_http_cqrs_query_options(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_target_t *target);
static cqrs_query_count_e ngx_http_cqrs_query_count(
    const cqrs_preferences_t *preferences);
static ngx_int_t ngx_http_cqrs_query_check(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_query_target_t *target, cqrs_query_error_t *error);
static ngx_uint_t ngx_http_cqrs_query_add(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_sql_t *sql);
static ngx_uint_t ngx_http_cqrs_query_add_text(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_str_t *text);


static ngx_str_t  ngx_http_cqrs_query_said = ngx_string(
    "select nullif(pg_catalog.current_setting('response.headers', true), ''), "
    "nullif(pg_catalog.current_setting('response.status', true), '')");


ngx_int_t
ngx_http_cqrs_query_plan(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_int_t                     rc;
    ngx_http_cqrs_query_target_t  target;

    ngx_memzero(&target, sizeof(ngx_http_cqrs_query_target_t));

    rc = ctx->recalled ? ngx_http_cqrs_query_check(ctx, &target, error)
                       : ngx_http_cqrs_query_consider(ctx, &target, error);

    if (rc != NGX_OK
        || ngx_http_cqrs_query_prepare(ctx, target.function, error) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->main = ngx_http_cqrs_query_add(ctx, &ctx->plan.main);

    /* bytes are not to come as text */

    ctx->statements[ctx->main].binary = (ctx->plan.columns == NULL);

    if (ctx->plan.columns
        && (ctx->plan.settings || ctx->conf->pre_request.len))
    {
        ctx->said = ngx_http_cqrs_query_add_text(ctx,
                                                 &ngx_http_cqrs_query_said);
    }

    if (ctx->plan.estimate.text.data) {
        ctx->estimate = ngx_http_cqrs_query_add(ctx, &ctx->plan.estimate);
    }

    return NGX_OK;
}


const cqrs_function_t *
ngx_http_cqrs_query_callee(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_http_cqrs_query_target_t  target;

    ngx_memzero(&target, sizeof(ngx_http_cqrs_query_target_t));

    /* nothing is called, so what Postgres would say is not said */

    if (ngx_http_cqrs_query_consider(ctx, &target, error) != NGX_OK
        && !error->late)
    {
        return NULL;
    }

    return target.function;
}


/* What is Postgres' to say is said last. */

static ngx_int_t
ngx_http_cqrs_query_consider(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_target_t *target, cqrs_query_error_t *error)
{
    cqrs_query_error_t  late;

    if (ngx_http_cqrs_query_find(ctx, target, error) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->misplaced.code) {
        *error = ctx->misplaced;
        return NGX_ERROR;
    }

    ngx_http_cqrs_query_options(ctx, target);

    if (ngx_http_cqrs_query_plan_main(ctx, target, error) == NGX_OK) {

        if (ctx->keyed && !target->refused
            && ctx->media.kind == CQRS_MEDIA_JSON)
        {
            cqrs_query_remember(ngx_cqrs_catalog_memo(ctx->conf->catalog),
                                &ctx->key, &ctx->query, &ctx->plan);
        }

        return ngx_http_cqrs_query_check(ctx, target, error);
    }

    if (error->late) {
        late = *error;

        if (ngx_http_cqrs_query_check(ctx, target, error) == NGX_OK) {
            *error = late;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_cqrs_query_plan_main(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_target_t *target, cqrs_query_error_t *error)
{
    int  rc;

    if (ctx->kind == NGX_HTTP_CQRS_QUERY_TEXT) {
        return ngx_http_cqrs_query_given(ctx, error);
    }

    rc = target->function
         ? cqrs_query_plan_function(&ctx->plan, &ctx->query, target->catalog,
                                    target->function, &ctx->options,
                                    &ctx->arena, error)
         : cqrs_query_plan_relation(&ctx->plan, &ctx->query, target->catalog,
                                    target->relation, &ctx->options,
                                    &ctx->arena, error);

    return (rc == 0) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cqrs_query_find(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_target_t *target, cqrs_query_error_t *error)
{
    ngx_memzero(error, sizeof(cqrs_query_error_t));

    if (ctx->kind == NGX_HTTP_CQRS_QUERY_TEXT) {
        return NGX_OK;
    }

    target->catalog = ngx_cqrs_catalog_current(ctx->conf->catalog);

    if (ctx->kind == NGX_HTTP_CQRS_QUERY_RELATION) {
        target->relation = cqrs_query_relation(target->catalog, &ctx->schema,
                                               &ctx->name, &ctx->arena,
                                               error);
        return target->relation ? NGX_OK : NGX_ERROR;
    }

    target->function = cqrs_query_function(target->catalog, &ctx->schema,
                                           &ctx->name, ctx->query.arguments,
                                           &ctx->arena, error);
    if (target->function == NULL) {
        return NGX_ERROR;
    }

    ctx->nothing = target->function->nothing;
    ctx->set = target->function->set;

    return NGX_OK;
}


/*
 * What is wrong with the query is told before what is wrong with the header
 * Accept, so a type that is not to be had is kept until there is a plan.
 */

static void
ngx_http_cqrs_query_options(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_target_t *target)
{
    cqrs_negotiate_t        what;
    cqrs_query_node_t      *root;
    cqrs_query_options_t   *options;

    options = &ctx->options;
    root = &ctx->query.root;

    ngx_memzero(options, sizeof(cqrs_query_options_t));

    options->count = ngx_http_cqrs_query_count(&ctx->preferences);
    options->max_rows = ctx->conf->max_rows;
    options->aggregates = ctx->conf->aggregates;

    what.relation = target->relation;
    what.function = target->function;
    what.plans = ctx->conf->plan;
    what.all = root->items && root->items->star && root->items->next == NULL
               && !root->items->bare
               && root->items->aggregate == CQRS_QUERY_NO_AGGREGATE
               && root->children == NULL;

    if (cqrs_negotiate(options, &ctx->media, &ctx->accepted, &what,
                       target->catalog, &ctx->arena, &target->error)
        != 0)
    {
        target->refused = 1;
        options->body = CQRS_QUERY_BODY_JSON;
    }

    if (ctx->careful && options->body == CQRS_QUERY_BODY_ROWS) {
        options->body = CQRS_QUERY_BODY_JSON;
    }

    /* rows are counted alone */

    if (ctx->request->method == NGX_HTTP_HEAD && options->explain == NULL) {
        options->body = CQRS_QUERY_BODY_NONE;
        options->handler = NULL;
    }
}


static cqrs_query_count_e
ngx_http_cqrs_query_count(const cqrs_preferences_t *preferences)
{
    if (cqrs_preferences_is(preferences, CQRS_PREFER_COUNT, "exact")) {
        return CQRS_QUERY_COUNT_EXACT;
    }

    if (cqrs_preferences_is(preferences, CQRS_PREFER_COUNT, "planned")) {
        return CQRS_QUERY_COUNT_PLANNED;
    }

    if (cqrs_preferences_is(preferences, CQRS_PREFER_COUNT, "estimated")) {
        return CQRS_QUERY_COUNT_ESTIMATED;
    }

    return CQRS_QUERY_COUNT_NONE;
}


static ngx_int_t
ngx_http_cqrs_query_check(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_query_target_t *target, cqrs_query_error_t *error)
{
    cqrs_buf_t           buf;
    cqrs_preferences_t  *preferences;

    preferences = &ctx->preferences;

    if (target->refused) {
        *error = target->error;
        return NGX_ERROR;
    }

    if (cqrs_preferences_refused(preferences)) {
        cqrs_query_refuse(error, NGX_HTTP_BAD_REQUEST, "PGRST122",
                          "Invalid preferences given with handling=strict");

        cqrs_buf_init(&buf, &ctx->arena);
        cqrs_buf_text(&buf, "Invalid preferences: ");
        cqrs_buf_str(&buf, &preferences->unknown);

        if (cqrs_buf_end(&buf, &error->details) != 0) {
            cqrs_query_no_memory(error);
        }

        return NGX_ERROR;
    }

    if (target->function && !target->function->set
        && preferences->max_affected >= 0
        && cqrs_preferences_is(preferences, CQRS_PREFER_HANDLING, "strict"))
    {
        cqrs_query_refuse(error, NGX_HTTP_BAD_REQUEST, "PGRST128",
                          "Function must return SETOF or TABLE when "
                          "max-affected preference is used with "
                          "handling=strict");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_query_prepare(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_function_t *function, cqrs_query_error_t *error)
{
    cqrs_query_sql_t  sql;

    ctx->n = 0;
    ctx->said = NGX_HTTP_CQRS_QUERY_NONE;
    ctx->estimate = NGX_HTTP_CQRS_QUERY_NONE;

    if (ctx->conf->settings) {

        if (ngx_http_cqrs_query_settings(ctx, function, &sql, error)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        (void) ngx_http_cqrs_query_add(ctx, &sql);
    }

    if (ctx->conf->pre_request.len) {
        (void) ngx_http_cqrs_query_add_text(ctx, &ctx->conf->pre_request);
    }

    ctx->main = ctx->n;

    return NGX_OK;
}


/* Returns its place. */

static ngx_uint_t
ngx_http_cqrs_query_add(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_sql_t *sql)
{
    ngx_cqrs_pg_statement_text_t  *statement;

    statement = &ctx->statements[ctx->n];

    statement->sql.data = (u_char *) sql->text.data;
    statement->sql.len = sql->text.len;
    statement->nparams = sql->nparams;
    statement->params = sql->params;
    statement->binary = 0;

    return ctx->n++;
}


static ngx_uint_t
ngx_http_cqrs_query_add_text(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_str_t *text)
{
    ngx_cqrs_pg_statement_text_t  *statement;

    statement = &ctx->statements[ctx->n];

    ngx_memzero(statement, sizeof(ngx_cqrs_pg_statement_text_t));

    statement->sql = *text;

    return ctx->n++;
}
