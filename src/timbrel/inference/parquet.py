"""Predictions as Parquet."""

from __future__ import annotations

from typing import BinaryIO

from timbrel.errors import MissingExtra
from timbrel.inference.prediction import Prediction
from timbrel.inference.writers import as_text

# Rows that wait for each other in memory, some ten megabytes of them.
_ROWS = 1 << 14


def check_parquet() -> None:
    """Raise MissingExtra where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise MissingExtra.of("parquet", "Writing Parquet") from None


class ParquetWriter:
    """A table with the keys of `Prediction.to_dict` as columns, in their order.

    Args:
        stream: where to.
    """

    def __init__(self, stream: BinaryIO) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        text, number = pa.string(), pa.float64()
        top = pa.list_(pa.struct([("label", text), ("probability", number)]))
        self._schema = pa.schema(
            [
                pa.field("path", text, nullable=False),
                *(("start", number), ("end", number), ("label", text), ("predicted", text)),
                *(("probability", number), ("accepted", pa.bool_()), ("top", top)),
                *(("seconds", number), ("error", text)),
            ]
        )
        self._batch = pa.RecordBatch.from_pylist
        self._file = parquet.ParquetWriter(stream, self._schema)
        self._rows: list[dict] = []

    def write(self, prediction: Prediction) -> None:
        """Take a prediction; every so many of them become a row group."""
        row = prediction.to_dict()
        for key in ("path", "error"):
            if row[key] is not None:
                row[key] = as_text(row[key])
        self._rows.append(row)
        if len(self._rows) == _ROWS:
            self._flush()

    def end_recording(self, seconds: float) -> None:
        """Nothing is to be done between recordings."""

    def close(self) -> None:
        """Write what is left, and the footer."""
        if self._rows:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.write_batch(self._batch(self._rows, schema=self._schema))
        self._rows = []
