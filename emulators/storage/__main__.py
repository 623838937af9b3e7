"""Run gcp-storage-emulator with its gaps repaired; README.md lists the repairs.

python -m emulators.storage --port 9023 --data-dir DIR
"""

import argparse
import logging
import sys
from functools import partial
from pathlib import Path

from gcp_storage_emulator import server
from gcp_storage_emulator.handlers import objects

from emulators import lifeline
from emulators.storage import routes
from emulators.storage.files import Storage
from emulators.storage.http import Connection, Server


def main(arguments: list[str]) -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m emulators.storage", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9023, help="port to listen on")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the objects")
    options = parser.parse_args(lifeline.watch(arguments))
    logging.basicConfig(level=logging.ERROR)
    server.HANDLERS = routes.guarded_routes()
    objects._make_object_resource = routes.with_encoded_link(objects._make_object_resource)
    held = Storage(options.data_dir.resolve())
    with Server((options.host, options.port), partial(Connection, held)) as listening:
        listening.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
