"""Sequences and backgrounds in files: CSV and similar text files, JSON, npy, npz. All hold the oldest event first.

JSON: `{"id", "labels", "inputs": {name: nested lists}, "events": [{"id", "time", "display": {…}}]}`, or just the
values: nested lists, records, or columns by name. CSV: one row an event, after a header of column names or none.
npy: (l, d). npz: arrays by input name. docs/files.md has an example of each.
"""

from sequela_client.files.file_table import FileTable
from sequela_client.files.loader import FileContent, is_data_file, load
from sequela_client.files.sequences import read_background, read_sequence
from sequela_client.files.text_format import TextFormat

__all__ = [
    "FileContent",
    "FileTable",
    "TextFormat",
    "is_data_file",
    "load",
    "read_background",
    "read_sequence",
]
