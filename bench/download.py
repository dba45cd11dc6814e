"""Downloads the Bulk 2.0 results of sObjects with simple-salesforce, unmodified: what a capture is held against.

Key decision: it does the least that such a script does: one job an sObject, asked about without waiting first, and its
pages written to files as they come, never parsed. It neither compares nor keeps a state.
Arguments: URL SESSION FOLDER SOBJECT...; prints one JSON object: seconds, rows, bytes.
"""

import json
import sys
import time
from pathlib import Path

from simple_salesforce import Salesforce


def fields(described):
    """What Bulk gives of an sObject: neither bodies nor compound fields."""
    return [f["name"] for f in described["fields"] if f["type"] not in ("base64", "address", "location")]


def main(url, session, folder, *objects):
    sf = Salesforce(instance_url=url, session_id=session)
    # The client always says https; the simulated org is asked without.
    version = sf.base_url.split("/services/data/", 1)[1]
    sf.bulk2_url = f"{url}/services/data/{version}jobs/"
    sf.base_url = f"{url}/services/data/{version}"
    queries = {}
    for name in objects:
        described = sf._call_salesforce("GET", f"{sf.base_url}sobjects/{name}/describe").json()
        queries[name] = f"SELECT {', '.join(fields(described))} FROM {name}"
    start, rows = time.monotonic(), 0
    for name, query in queries.items():
        results = getattr(sf.bulk2, name).download(query, folder, wait=0)
        rows += sum(result["number_of_records"] for result in results)
    seconds = time.monotonic() - start
    written = sum(file.stat().st_size for file in Path(folder).iterdir())
    print(json.dumps({"seconds": seconds, "rows": rows, "bytes": written}))


main(*sys.argv[1:])
