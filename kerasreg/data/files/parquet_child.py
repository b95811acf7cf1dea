"""Decode the Parquet file on standard input to an Arrow stream on standard output.

Run as a script by `parquet_file.py`, alone: it imports nothing of kerasreg. Exit status 2 and one
line on standard error: the file cannot be used.
"""

import os
import re
import sys

MEMORY = 2 * 2**30
CPU_SECONDS = 90
MOST_RESULT_BYTES = 640 * 2**20


def limit() -> None:
    """Bound this process's memory and time, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, amount in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS)):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or hard > amount:
            resource.setrlimit(kind, (amount, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def refuse(message: str) -> None:
    """End with the message on one line; the parent puts the path before it."""
    print(" ".join(message.split())[:500], file=sys.stderr)
    sys.exit(2)


def main(most_cells: int, most_columns: int) -> None:
    # The other allocators reserve more address space than they use, which the limit would count.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    os.environ["OMP_NUM_THREADS"] = "1"
    limit()
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    try:
        file = pq.ParquetFile(
            sys.stdin.buffer,
            pre_buffer=False,
            thrift_string_size_limit=2**24,
            thrift_container_size_limit=2**20,
            page_checksum_verification=True,
        )
        rows, columns = file.metadata.num_rows, len(file.schema_arrow.names)
        if columns > most_columns:
            refuse(f"{columns:,} columns, more than the {most_columns:,} that are read")
        if rows * columns > most_cells:
            refuse(f"{rows * columns:,} cells, more than the {most_cells:,} that are read")
        schema = file.schema_arrow
        kept = [
            index
            for index, name in enumerate(schema.names)
            if not re.fullmatch(r"__index_level_\d+__", name)
        ]
        kinds = {index: cast_of(pa, schema.field(index)) for index in kept}
        if rows == 0 or not kept:
            refuse("no rows or no columns")
        table = file.read(use_threads=False)
        if table.nbytes > MOST_RESULT_BYTES:
            refuse(f"unpacks to {table.nbytes / 2**20:,.0f} MB, more than is read")
        arrays = [table.column(index).cast(kinds[index]) for index in kept]
        for array in arrays:
            array.validate(full=True)
    except (pa.ArrowException, OSError, MemoryError, OverflowError, ValueError) as error:
        refuse(f"damaged or not a Parquet file ({error}); write it again")
    result = pa.Table.from_arrays(arrays, names=[schema.names[index] for index in kept])
    with pa.ipc.new_stream(sys.stdout.buffer, result.schema) as stream:
        stream.write_table(result)


def cast_of(pa, field):
    """Return the type a column is read as, or refuse it by name."""
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return kind
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pa.timestamp("us", tz=getattr(kind, "tz", None))
    refuse(
        f"column {field.name!r} holds {kind}; expected numbers, booleans, text or dates: "
        "convert or drop it"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
