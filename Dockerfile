# The image holds one static file and nothing else: no shell, no C library, no
# root certificates (the CA that clients are judged by is mounted by the operator).
#
#   docker build --build-arg VERSION=$(git describe --always --dirty) -t mtls-sidecar .
#   docker buildx build --platform linux/amd64,linux/arm64 -t mtls-sidecar .
#
# Both images can be replaced by a mirror's:
#   --build-arg GO_IMAGE=mirror.example/golang:1.26 --build-arg RUNTIME_IMAGE=mirror.example/static
ARG GO_IMAGE=golang:1.26
ARG RUNTIME_IMAGE=scratch

# The compiler runs on the machine that builds and cross-compiles; no emulation.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags="-s -w -X mtls-sidecar/proxy.release=$VERSION" -o /out/mtls-sidecar ./cmd/mtls-sidecar

FROM ${RUNTIME_IMAGE}
COPY --from=build /out/mtls-sidecar /mtls-sidecar
# By number, so that Kubernetes' runAsNonRoot can tell without /etc/passwd.
USER 65532:65532
# TLS, and the admin port. No HEALTHCHECK: Kubernetes ignores it, and has its own
# probes; deploy/compose has one.
EXPOSE 8443 9902
ENTRYPOINT ["/mtls-sidecar"]
