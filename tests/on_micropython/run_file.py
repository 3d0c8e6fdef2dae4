"""Runs under MicroPython: every `test_*` function of one module, in the order of its file.

    micropython run_file.py MODULE PATH [PATH...]     paths go in front of sys.path

Prints `ok NAME` or `FAIL NAME` with its traceback; exit status 1 when one failed, 3 when the module had none.
"""

import sys


def names_in_order(path):
    """Names of the test functions as the source lists them: a module's own dict has no order."""
    names = []
    with open(path) as source:
        for line in source:
            if line.startswith("def test_"):
                names.append(line[4 : line.index("(")])
    return names


def main(module_name, paths):
    """Import the module, call its tests, say how each ended; exit status."""
    sys.path[:0] = paths
    module = __import__(module_name)
    for part in module_name.split(".")[1:]:
        module = getattr(module, part)
    failed = False
    names = names_in_order(module.__file__)
    for name in names:
        try:
            getattr(module, name)()
            print("ok", name)
        except Exception as error:
            failed = True
            print("FAIL", name)
            sys.print_exception(error)
    if not names:
        return 3
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
