"""Reads sequences and backgrounds, oldest event first, from files: CSV and similar text files, JSON, npy and npz.

- CSV: one row is one event; the first row may have the names of the columns.
- JSON: `{"id", "labels", "inputs": {name: nested lists}, "events": [{"id", "time", "display": {…}}]}`, or the values
  alone: nested lists, records, or columns by name.
- npy: an array (l, d); npz: arrays by input name.

docs/files.md has an example of each.
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
