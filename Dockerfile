# The binary needs a C library and root certificates, nothing else.
FROM debian:13-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates npm
WORKDIR /src
COPY . .
RUN scripts/build

FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /src/dist/postrider /usr/local/bin/postrider
ENV STATE_DIRECTORY=/var/lib/postrider
VOLUME /var/lib/postrider
EXPOSE 8250
ENTRYPOINT ["/usr/local/bin/postrider"]
CMD ["serve"]
