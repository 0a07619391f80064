# syntax=docker/dockerfile:1
#
#   docker build -t clm .
#   docker run --rm -p 127.0.0.1:8080:8080 --env-file .env -v clm:/data clm
#   docker run --rm --env-file .env clm clm check
#
# Two layers are built, that of the crates we are made of, which changes with Cargo.lock and the profile alone, and ours.
# The image that runs has one program in it, and what Debian brings.

# The compiler that profile/ was made with: another one would not know it.
FROM rust:1.95.0-slim-bookworm AS build
# SQLite and ring are built from their C.
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# Targets that are declared have to be there, and may be empty. What was made of ours is taken away again: by
# its time of change cargo would take it for newer than what is copied over it.
COPY Cargo.toml Cargo.lock ./
COPY .cargo/config.toml .cargo/config.toml
COPY profile profile
RUN mkdir -p src benches examples/capacity \
 && echo 'fn main() {}' | tee src/main.rs benches/turn.rs benches/records.rs benches/speech.rs \
        benches/crowd.rs benches/instructions.rs \
        examples/capacity/main.rs >src/lib.rs \
 && cargo build --release --locked --bin clm \
 && rm -rf src target/release/clm target/release/.fingerprint/quest-clm-* \
      target/release/deps/clm-* target/release/deps/*quest_clm*

COPY sql sql
COPY src src
RUN cargo build --release --locked --bin clm

FROM debian:bookworm-slim
# OpenRouter, Zep and the database are known by the system's roots.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && groupadd --gid 10001 clm \
 && useradd --uid 10001 --gid clm --home-dir /data --no-create-home --shell /usr/sbin/nologin clm \
 && install -d -m 0700 -o clm -g clm /data
COPY --from=build /build/target/release/clm /usr/local/bin/clm
COPY deploy/entrypoint /usr/local/bin/entrypoint
ENV HOST=0.0.0.0 PORT=8080 DATA_DIR=/data LOG_FORMAT=json
WORKDIR /data
VOLUME /data
EXPOSE 8080
# One that was told to stop is unwell on purpose: it takes no turns.
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=2 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT} && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
# What is being said is said to its end: docker stop -t 40.
STOPSIGNAL SIGTERM
# The service never runs as root, see there.
ENTRYPOINT ["entrypoint"]
CMD ["clm", "serve"]
