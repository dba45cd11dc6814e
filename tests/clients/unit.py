"""Runs one file of unit tests and writes `PASSED FAILED` to another: `unit.py FILE COUNTS`.

Key decision: the folder of the file is where it imports from, so that each client has a `support` of its own.
It is run by `run`, with the Python that has the client, and knows no client itself.
"""

import sys
import unittest
from pathlib import Path


def main(file, counts):
    loader = unittest.TestLoader()
    suite = loader.discover(str(Path(file).parent), Path(file).name)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    Path(counts).write_text(f"{result.testsRun - bad} {bad}\n")
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
