
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The log: standard error, one line per thing, in nginx's manner.
 *
 * A line says who, what, why and for whom.  It never holds a password, a token
 * or what a command or an event says; ids, names and sizes only.
 */

#ifndef CONSUMER_LOG_H
#define CONSUMER_LOG_H


typedef enum {
    CONSUMER_LOG_ALERT = 0,    /* our own bug */
    CONSUMER_LOG_CRIT,         /* the machine */
    CONSUMER_LOG_ERROR,        /* a backend, or the domain's code */
    CONSUMER_LOG_WARN,         /* degraded, but served */
    CONSUMER_LOG_NOTICE,
    CONSUMER_LOG_INFO,         /* a sender's mistake */
    CONSUMER_LOG_DEBUG
} consumer_log_level_e;


/* Reads a level's name; 0, or -1 if there is no such level. */
int consumer_log_level(const char *name, consumer_log_level_e *level);

/* Lines above the level are dropped; the name says which process speaks. */
void consumer_log_init(consumer_log_level_e level, const char *name);

void consumer_log(consumer_log_level_e level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* CONSUMER_LOG_H */
