"""Files that users bring, read without trust: CSV, Parquet and NPZ."""
