# An image of race-bib: the program, its site, and the C library. Build it with `docker build -t race-bib .`
# and run it with DATABASE_URL and SESSION_SECRET. compose.yaml does both, with a PostgreSQL.

FROM rust:1.95-bookworm AS build
# npm brings wasm-opt. The rest of what the build needs comes by `cargo xtask build`.
COPY --from=node:22-bookworm-slim /usr/local/bin/node /usr/local/bin/
COPY --from=node:22-bookworm-slim /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /app
COPY . .
# The caches are not part of the image. What the next stage needs is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/app/target \
    cargo xtask build \
    && mkdir /race-bib \
    && cp target/release/race-bib /race-bib/ \
    && cp -r target/site /race-bib/site

FROM gcr.io/distroless/cc-debian12:nonroot
WORKDIR /race-bib
COPY --from=build /race-bib .
ENV LEPTOS_ENV=PROD LEPTOS_SITE_ROOT=site PORT=8080
EXPOSE 8080
USER nonroot
ENTRYPOINT ["./race-bib"]
