"""Runs a notebook under a Jupyter kernel and prints what came of it as JSON: python3 run_notebook.py FILE FOLDER [interrupt after seconds].

`messages` counts what the kernel sent while each cell ran. With a third argument the stop button is pressed that many seconds after
the second cell has begun to show something."""
import asyncio
import json
import sys

import nbformat
from nbclient import NotebookClient


class Client(NotebookClient):
    counts = {}
    stop_after = None

    def process_message(self, msg, cell, cell_index):
        counts = self.counts.setdefault(cell_index, {})
        kind = msg["msg_type"]
        counts[kind] = counts.get(kind, 0) + 1
        if self.stop_after is not None and cell_index == 1 and kind == "display_data":
            wait, self.stop_after = self.stop_after, None
            asyncio.get_event_loop().call_later(wait, self.press_stop)
        return super().process_message(msg, cell, cell_index)

    def press_stop(self):
        asyncio.ensure_future(self.km.interrupt_kernel())


notebook = nbformat.read(sys.argv[1], as_version=4)
client = Client(
    notebook,
    kernel_name="deno",
    timeout=280,
    resources={"metadata": {"path": sys.argv[2]}},
)
client.stop_after = float(sys.argv[3]) if len(sys.argv) > 3 else None
client.execute()
print(json.dumps({"cells": notebook.cells, "messages": client.counts}))
