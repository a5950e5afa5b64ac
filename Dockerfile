# The embedded service: HTTP ingest, engine, alerts, inbox and metrics in one process.
#
#   docker build -t riskmon .
#   docker run -p 8600:8600 -v riskmon:/var/lib/riskmon \
#     -e RISKMON_HTTP_USERS='[{name: ada, roles: [officer], token_sha256: ...}]' riskmon
#
# Inside a container the service must bind beyond loopback, and without users it refuses to: give
# RISKMON_HTTP_USERS, or mount your own file over /etc/riskmon/monitor.yaml.
#
# RISKMON_DATA_DIR     where riskmon.db is kept; the volume. Default /var/lib/riskmon
# RISKMON_HTTP_HOST    address to bind. Default here 0.0.0.0
# RISKMON_HTTP_PORT    default 8600; the health check follows it
# RISKMON_HTTP_USERS   who may call: name, roles, SHA-256 of the token in hex (not the token)
# RISKMON_...          every other setting: docs/settings.md

FROM python:3.11-slim AS build
WORKDIR /src
RUN pip install --no-cache-dir build
COPY pyproject.toml README.md ./
COPY monitor monitor
COPY rules rules
COPY streams streams
COPY alerts alerts
RUN python -m build --wheel --outdir /wheels \
 && python -m venv /opt/riskmon \
 && /opt/riskmon/bin/pip install --no-cache-dir /wheels/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/riskmon --shell /usr/sbin/nologin riskmon \
 && install -d -o riskmon -g riskmon -m 0750 /var/lib/riskmon
COPY --from=build /opt/riskmon /opt/riskmon
COPY config /etc/riskmon
ENV PATH=/opt/riskmon/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RISKMON_DATA_DIR=/var/lib/riskmon \
    RISKMON_HTTP_HOST=0.0.0.0 \
    RISKMON_HTTP_PORT=8600
USER riskmon
WORKDIR /var/lib/riskmon
VOLUME /var/lib/riskmon
EXPOSE 8600
STOPSIGNAL SIGINT
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"RISKMON_HTTP_PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["riskmon"]
CMD ["run", "--config", "/etc/riskmon/monitor.yaml"]
