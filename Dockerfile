# Any image with Python 3.11 or newer as `python`.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Dependencies first: they change less often than the code, and each layer is kept until what it copies changes. Behind a
# proxy, pip's settings and the certificates of its authority come as secrets, which no layer keeps.
COPY requirements/build.lock requirements/service.lock requirements/audit.lock requirements/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.pem,target=/run/secrets/ca.pem \
    python -m venv /tools \
    && /tools/bin/pip install --require-hashes --only-binary :all: -r requirements/build.lock \
    && python -m venv /audit \
    && /audit/bin/pip install --require-hashes --only-binary :all: -r requirements/audit.lock \
    && python -m venv --without-pip /opt/sequela \
    && /tools/bin/pip --python /opt/sequela/bin/python install --require-hashes --only-binary :all: \
        -r requirements/service.lock
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY clients clients
COPY proto proto
# What is installed stands in sbom.json, in the format CycloneDX.
RUN /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /tools/bin/pip --python /opt/sequela/bin/python install --no-deps --no-index /wheels/*.whl \
    && /audit/bin/python -m cyclonedx_py environment --pyproject pyproject.toml --output-reproducible \
        --output-file /opt/sequela/sbom.json /opt/sequela/bin/python \
    && ln -rs /opt/sequela/lib/python3.*/site-packages/sequela/demo /opt/sequela/demo

FROM ${BASE}
LABEL org.opencontainers.image.title="Sequela" \
      org.opencontainers.image.description="Explains the scores of sequence models, over gRPC and HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      sequela.sbom="/opt/sequela/sbom.json"
COPY --from=build /opt/sequela /opt/sequela
# Only the store is written at run time, in a volume, so the root file system can be read-only. What listens outside the
# container is up to whoever runs it: any address but loopback wants TLS files or SEQUELA_INSECURE. No module comes from
# the current folder, and onnxruntime reports nothing, whatever Python is started for.
ENV PATH=/opt/sequela/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SEQUELA_HTTP_HOST=0.0.0.0 \
    SEQUELA_HTTP_INFERENCE=false \
    SEQUELA_HTTP_PORT=9464 \
    XDG_STATE_HOME=/var/lib
RUN mkdir --mode=0700 /var/lib/sequela && chown 10001:10001 /var/lib/sequela
USER 10001:10001
VOLUME /var/lib/sequela
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
# hadolint ignore=DL3025 # the shell puts the port in, and the scheme. The certificate is for another name than 127.0.0.1.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD python -c "import ssl; from urllib.request import HTTPSHandler, ProxyHandler, build_opener; \
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl._create_unverified_context())); \
    opener.open('http$([ -z "$SEQUELA_TLS_KEY" ] || [ "$SEQUELA_HTTPS" = false ] || echo s)://127.0.0.1:${SEQUELA_HTTP_PORT}/readyz', timeout=2)"
ENTRYPOINT ["sequela"]
CMD ["serve"]
