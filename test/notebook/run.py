"""Executes a notebook, its cells as they are, with some cells inserted; writes the executed notebook as JSON.

run.py NOTEBOOK OUTPUT [MARKER FILE]...: the text of FILE becomes a cell after the first code cell that contains MARKER.
"""
import sys

import nbformat
from nbclient import NotebookClient

source, output, *insertions = sys.argv[1:]
nb = nbformat.read(source, as_version=4)
for marker, path in zip(insertions[::2], insertions[1::2]):
    with open(path, encoding="utf-8") as f:
        cell = nbformat.v4.new_code_cell(f.read())
    at = next(i for i, c in enumerate(nb.cells) if c.cell_type == "code" and marker in c.source)
    nb.cells.insert(at + 1, cell)
try:
    NotebookClient(nb, timeout=120, kernel_name="python3", allow_errors=True).execute()
finally:
    nbformat.write(nb, output)
