"""The store: committed Parquet in a folder that any engine can read."""

from infercost.store.delta import Part
from infercost.store.store import Commit, Snapshot, Store

__all__ = ["Commit", "Part", "Snapshot", "Store"]
