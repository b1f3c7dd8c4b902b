"""Sends OTLP over gRPC with the SDK's exporter. Importing this imports gRPC."""

from __future__ import annotations

import grpc
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from heap_exporter.export.otlp_receiver import Receiver

_COMPRESSIONS = {
    "none": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}


class GrpcSender:
    """Sends metrics to one receiver over gRPC; headers, timeout and certificates are the exporter's affair."""

    def __init__(self, receiver: Receiver) -> None:
        compression = _COMPRESSIONS[receiver.compression]
        self._exporter = OTLPMetricExporter(endpoint=receiver.url, compression=compression)

    def send(self, data: MetricsData) -> bool:
        """Return whether the receiver took the data."""
        return self._exporter.export(data) is MetricExportResult.SUCCESS

    def close(self) -> None:
        """End the call under way and refuse later ones. Any thread may call it."""
        self._exporter.shutdown()
