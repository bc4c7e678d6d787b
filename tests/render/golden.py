"""Golden files of text, as text files of their own."""

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class TextFile(SingleFileSnapshotExtension):
    """A snapshot in a text file."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"
