# The service as an image: one binary on Debian, run by a user without rights.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# The caches stay outside of the layers, so the binary is copied out in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --profile dist --locked --bin meshtriage && cp target/dist/meshtriage /meshtriage

FROM debian:bookworm-slim
# The authorities of the world, for a PostgreSQL that shows a certificate of theirs. The API server's own authority comes
# with the pod's ServiceAccount.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin meshtriage \
    && install --directory --owner=10001 --group=10001 /var/lib/meshtriage
COPY --from=build /meshtriage /usr/local/bin/meshtriage
# By number, so that a cluster can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/meshtriage
EXPOSE 8080
ENTRYPOINT ["meshtriage"]
CMD ["serve", "--listen=0.0.0.0:8080"]
