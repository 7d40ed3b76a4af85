# Two images: nginx with the module, and the consumer.
#
#   docker build --target nginx    -t ngx_cqrs .
#   docker build --target consumer -t cqrs-consumer .
#
# nginx wants its configuration at /etc/nginx/nginx.conf (one that begins with
# "load_module modules/ngx_http_cqrs_module.so;") and listens above port 1024;
# the consumer takes its options from CQRS_POSTGRES, CQRS_RABBITMQ, CQRS_REDIS.

# A module fits the very nginx it was configured for, so both come from here.

FROM debian:bookworm-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        gcc libc6-dev make nginx nginx-dev libpq-dev librabbitmq-dev \
        libhiredis-dev libjansson-dev libjwt-dev libwslay-dev libxxhash-dev libssl-dev
WORKDIR /src
COPY . .
RUN make && strip build/module/ngx_http_cqrs_module.so build/cqrs-consumer


FROM debian:bookworm-slim AS nginx
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        nginx libpq5 librabbitmq4 libhiredis0.14 libjansson4 libjwt0 \
        libwslay1 libssl3 ca-certificates \
 && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/default \
 && ln -sf /dev/stdout /var/log/nginx/access.log \
 && ln -sf /dev/stderr /var/log/nginx/error.log \
 && install -d -o www-data -g www-data /run/nginx /var/lib/nginx \
 && chown -R www-data:www-data /var/lib/nginx
COPY --from=build /src/build/module/ngx_http_cqrs_module.so /usr/lib/nginx/modules/
COPY conf/nginx.conf /etc/nginx/nginx.conf
USER www-data
EXPOSE 8080
STOPSIGNAL SIGQUIT
CMD ["nginx", "-e", "stderr", "-g", "daemon off;"]


FROM debian:bookworm-slim AS consumer
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        libpq5 librabbitmq4 libhiredis0.14 libjansson4 libssl3 ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/cqrs-consumer /usr/local/bin/
COPY --from=build /src/consumer/cqrs_handler.h /usr/local/include/
USER nobody
ENTRYPOINT ["cqrs-consumer"]
