# The demo shop with the exporter inside; see docker-compose.yml.
FROM python:3.13.7-bookworm AS build
WORKDIR /src
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY heap_exporter ./heap_exporter
RUN HEAP_EXPORTER_BUILD=required pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13.7-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

RUN --mount=from=build,source=/wheels,target=/wheels pip install --no-cache-dir /wheels/*.whl

# Snapshots must survive a killed container, and only their owner may read them.
RUN useradd --system --uid 10001 --no-create-home shop \
    && install --directory --owner=shop --mode=0700 /var/lib/heap-exporter
USER shop
WORKDIR /

EXPOSE 8000 9465
ENTRYPOINT ["heap-exporter"]
CMD ["demo", "--host", "0.0.0.0", "--port", "9465", "--shop-port", "8000"]
