# One image for the server and for clients; docs/operations.md says how each is run.
FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY . .
RUN node scripts/setup.mjs && node scripts/build.mjs

# Nothing but Node and the bundle, which has all it needs in it, with the file that starts it.
FROM node:22-alpine
RUN mkdir -m 0700 /state && chown node:node /state
COPY --from=build /build/packages/cli/package.json /app/package.json
COPY --from=build /build/packages/cli/dist/*.js /build/packages/cli/dist/*.mjs /build/packages/cli/dist/*.css /build/packages/cli/dist/package.json /app/dist/
USER node
# The admin endpoint is the container's own: nobody outside reaches its loopback address.
ENV TUNNEL_STATE_DIR=/state TUNNEL_ADMIN=127.0.0.1:9090
VOLUME /state
EXPOSE 7835
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=2 \
  CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9090/readyz"]
ENTRYPOINT ["node", "/app/dist/tunnel.js"]
CMD ["server"]
