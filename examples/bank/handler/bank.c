
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the bank allows, in C: the same as sql/decide.sql and sql/evolve.sql.
 *
 * Money is counted in cents.  jansson reads a number with decimals as a
 * double, which is the nearest one to a whole number of cents and to no other
 * one, up to ten trillions.
 */

#include "cqrs_handler.h"

#include <stdio.h>
#include <string.h>


#define BANK_PREFIX       "account-"
#define BANK_NAME_MAX     100
#define BANK_AMOUNT_MAX   1000000000         /* not in cents */
#define BANK_MONEY_TEXT   32


typedef enum {
    BANK_DEPOSIT = 0,
    BANK_WITHDRAW,
    BANK_TRANSFER,
    BANK_RECEIVE,
    BANK_UNDO,
    BANK_UNKNOWN
} bank_command_e;


static json_t *bank_decide_open(const json_t *state, const char *account,
    const cqrs_handler_command_t *command);
static json_t *bank_opened(json_t *owner, const char *account,
    const json_t *data);
static json_t *bank_take(const json_t *state, const char *account,
    const cqrs_handler_command_t *command, long long amount);
static json_t *bank_take_funded(const json_t *state, const char *account,
    const cqrs_handler_command_t *command, long long amount);
static bank_command_e bank_command(const char *type);
static long long bank_amount(const json_t *data);
static long long bank_cents(const json_t *number);
static json_t *bank_money(long long cents);
static const char *bank_money_text(char text[BANK_MONEY_TEXT],
    long long cents);
static json_t *bank_text(const json_t *data, const char *name);
static int bank_is_account(const char *name);
static size_t bank_length(const char *text);
static const char *bank_cut(const char *text, size_t letters);


static json_t *
bank_decide(const json_t *state, const cqrs_handler_command_t *command)
{
    json_t          *data;
    long long        amount;
    const char      *account;
    bank_command_e   type;

    account = command->stream + sizeof(BANK_PREFIX) - 1;

    if (strcmp(command->type, "open") == 0) {
        return bank_decide_open(state, account, command);
    }

    type = bank_command(command->type);

    if (type == BANK_UNKNOWN) {
        return NULL;
    }

    /* what the process manager says has an event as its cause */

    if ((type == BANK_RECEIVE || type == BANK_UNDO)
        && command->causation_id == NULL)
    {
        return cqrs_reject("not-allowed", NULL,
                           "The command %s is the bank's own.", command->type);
    }

    amount = bank_amount(command->data);

    if (amount == 0) {
        return cqrs_reject("invalid-amount", NULL,
                           "The amount must be a number above 0, with at most "
                           "two decimals, and at most a billion.");
    }

    if (type == BANK_RECEIVE) {

        if (state) {
            return cqrs_accept(cqrs_event("transfer-received",
                                          json_incref(command->data)),
                               NULL);
        }

        /* money that arrives where nothing is open must go back */

        data = json_copy(command->data);
        json_object_set_new(data, "reason",
                            json_string("There is no such account."));

        return cqrs_accept(cqrs_event("transfer-refused", data), NULL);
    }

    if (state == NULL) {
        return cqrs_reject("not-open", NULL, "There is no account %s.",
                           account);
    }

    if (type == BANK_DEPOSIT) {
        return cqrs_accept(cqrs_event("deposited",
                               json_pack("{s:o}", "amount",
                                         bank_money(amount))),
                           NULL);
    }

    if (type == BANK_UNDO) {
        return cqrs_accept(cqrs_event("transfer-undone",
                                      json_incref(command->data)),
                           NULL);
    }

    return bank_take(state, account, command, amount);
}


static json_t *
bank_decide_open(const json_t *state, const char *account,
    const cqrs_handler_command_t *command)
{
    json_t      *owner, *decision;
    const char  *name;

    if (state) {
        return cqrs_reject("already-open", NULL, "Account %s is open already.",
                           account);
    }

    if (!bank_is_account(account)) {
        return cqrs_reject("invalid-account", NULL,
                           "The name of an account has letters, digits, - and "
                           "_ only, and at most 100 of them.");
    }

    owner = bank_text(command->data, "owner");

    if (owner == NULL && command->user) {
        owner = json_string(command->user);
    }

    name = json_string_value(owner);

    if (name == NULL || *name == '\0' || bank_length(name) > BANK_NAME_MAX) {
        decision = cqrs_reject("no-owner", NULL,
                               "Sign in to open an account.");
    } else {
        decision = bank_opened(owner, account, command->data);
    }

    json_decref(owner);

    return decision;
}


static json_t *
bank_opened(json_t *owner, const char *account, const json_t *data)
{
    size_t       len;
    json_t      *given, *event;
    const char  *name;

    given = bank_text(data, "name");

    name = given ? json_string_value(given) : "";
    name += strspn(name, " ");
    len = strlen(name);

    while (len && name[len - 1] == ' ') {
        len--;
    }

    if (len == 0) {
        name = account;
        len = strlen(name);
    }

    if (bank_cut(name, BANK_NAME_MAX) < name + len) {
        len = bank_cut(name, BANK_NAME_MAX) - name;
    }

    event = cqrs_event("opened", json_pack("{s:O, s:o}", "owner", owner,
                                           "name", json_stringn(name, len)));
    json_decref(given);

    return cqrs_accept(event, NULL);
}


/* What takes money away. */

static json_t *
bank_take(const json_t *state, const char *account,
    const cqrs_handler_command_t *command, long long amount)
{
    json_t      *to, *decision;
    const char  *owner, *name;

    owner = json_string_value(json_object_get(state, "owner"));

    if (owner == NULL || command->user == NULL
        || strcmp(owner, command->user) != 0)
    {
        return cqrs_reject("not-owner", NULL,
                           "Only its owner can take money from an account.");
    }

    if (bank_command(command->type) == BANK_WITHDRAW) {
        return bank_take_funded(state, account, command, amount);
    }

    to = bank_text(command->data, "to");
    name = json_string_value(to);

    if (name == NULL || !bank_is_account(name)) {
        decision = cqrs_reject("invalid-destination", NULL,
                               "Say to which account the money should go.");

    } else if (strcmp(name, account) == 0) {
        decision = cqrs_reject("invalid-destination", NULL,
                               "A transfer goes to another account.");

    } else {
        decision = bank_take_funded(state, name, command, amount);
    }

    json_decref(to);

    return decision;
}


static json_t *
bank_take_funded(const json_t *state, const char *account,
    const cqrs_handler_command_t *command, long long amount)
{
    char        have[BANK_MONEY_TEXT], wanted[BANK_MONEY_TEXT];
    json_t     *data, *detail;
    long long   balance;

    balance = bank_cents(json_object_get(state, "balance"));

    if (balance < amount) {
        detail = json_pack("{s:o, s:o}", "balance", bank_money(balance),
                           "amount", bank_money(amount));

        return cqrs_reject("insufficient-funds", detail,
                           "The balance is %s, %s was asked for.",
                           bank_money_text(have, balance),
                           bank_money_text(wanted, amount));
    }

    if (bank_command(command->type) == BANK_WITHDRAW) {
        return cqrs_accept(cqrs_event("withdrawn",
                               json_pack("{s:o}", "amount",
                                         bank_money(amount))),
                           NULL);
    }

    data = json_pack("{s:s, s:s, s:o}", "transfer", command->id, "to", account,
                     "amount", bank_money(amount));

    return cqrs_accept(cqrs_event("transfer-sent", data), NULL);
}


static bank_command_e
bank_command(const char *type)
{
    unsigned  i;

    static const char * const  types[] = {
        "deposit", "withdraw", "transfer", "receive-transfer", "undo-transfer"
    };

    for (i = 0; i < BANK_UNKNOWN; i++) {
        if (strcmp(type, types[i]) == 0) {
            break;
        }
    }

    return i;
}


static json_t *
bank_evolve(const json_t *state, const cqrs_handler_event_t *event)
{
    int         sign;
    json_t     *next, *amount;
    long long   balance;

    if (strcmp(event->type, "opened") == 0) {
        return json_pack("{s:O, s:O, s:i}",
                         "owner", json_object_get(event->data, "owner"),
                         "name", json_object_get(event->data, "name"),
                         "balance", 0);
    }

    if (strcmp(event->type, "deposited") == 0
        || strcmp(event->type, "transfer-received") == 0
        || strcmp(event->type, "transfer-undone") == 0)
    {
        sign = 1;

    } else if (strcmp(event->type, "withdrawn") == 0
               || strcmp(event->type, "transfer-sent") == 0)
    {
        sign = -1;

    } else {
        return json_incref((json_t *) state);
    }

    amount = json_object_get(event->data, "amount");

    if (state == NULL || !json_is_number(amount)) {
        return NULL;
    }

    balance = bank_cents(json_object_get(state, "balance"))
              + sign * bank_cents(amount);

    next = json_copy((json_t *) state);
    json_object_set_new(next, "balance", bank_money(balance));

    return next;
}


/* In cents; 0: it is none. */

static long long
bank_amount(const json_t *data)
{
    double      value;
    json_t     *amount;
    long long   cents;

    amount = json_object_get(data, "amount");

    if (!json_is_number(amount)) {
        return 0;
    }

    value = json_number_value(amount);

    if (!(value > 0 && value <= BANK_AMOUNT_MAX)) {
        return 0;
    }

    cents = bank_cents(amount);

    return ((double) cents / 100 == value) ? cents : 0;
}


static long long
bank_cents(const json_t *number)
{
    double  value;

    if (json_is_integer(number)) {
        return json_integer_value(number) * 100;
    }

    value = json_number_value(number) * 100;

    return (long long) (value < 0 ? value - 0.5 : value + 0.5);
}


static json_t *
bank_money(long long cents)
{
    if (cents % 100 == 0) {
        return json_integer(cents / 100);
    }

    return json_real((double) cents / 100);
}


static const char *
bank_money_text(char text[BANK_MONEY_TEXT], long long cents)
{
    long long  size;

    size = (cents < 0) ? -cents : cents;

    snprintf(text, BANK_MONEY_TEXT, "%s%lld.%02lld", cents < 0 ? "-" : "",
             size / 100, size % 100);

    return text;
}


/* A member as text, as ->> gives it; NULL if there is none. */

static json_t *
bank_text(const json_t *data, const char *name)
{
    char    *text;
    json_t  *value, *string;

    value = json_object_get(data, name);

    if (value == NULL || json_is_null(value)) {
        return NULL;
    }

    if (json_is_string(value)) {
        return json_incref(value);
    }

    text = json_dumps(value, JSON_ENCODE_ANY|JSON_REAL_PRECISION(15));
    string = json_string(text);
    free(text);

    return string;
}


static int
bank_is_account(const char *name)
{
    size_t  len;

    len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                       "0123456789_-");

    return name[len] == '\0' && len > 0 && len <= BANK_NAME_MAX;
}


/* In letters: a byte of the form 10xxxxxx continues one. */

static size_t
bank_length(const char *text)
{
    size_t  n;

    for (n = 0; *text; text++) {
        n += ((*text & 0xc0) != 0x80);
    }

    return n;
}


/* Where the letter begins that is one too many, or the end. */

static const char *
bank_cut(const char *text, size_t letters)
{
    for ( /* void */ ; *text; text++) {

        if ((*text & 0xc0) == 0x80) {
            continue;
        }

        if (letters-- == 0) {
            break;
        }
    }

    return text;
}


static const cqrs_handler_t  bank_handler = {
    .abi = CQRS_HANDLER_ABI,
    .category = "account",
    .decide = bank_decide,
    .evolve = bank_evolve
};


const cqrs_handler_t *
cqrs_handler(void)
{
    return &bank_handler;
}
