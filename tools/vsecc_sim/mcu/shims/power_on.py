"""First thing that runs in the process of a chip with flash: mounts it, then boot.py, main.py, the prompt.

Arguments: reader fd, writer fd, console in fd, console out fd, flash file, journal file or "", "raw" to stay
at the raw prompt after boot.py, then NAME=NUMBER settings of the emulated chip. MicroPython only.
"""

import sys


def main():
    """Power is there; does not return."""
    import chip
    import console
    import flash
    import utime
    import vfs

    reader, writer, console_in, console_out = [int(text) for text in sys.argv[1:5]]
    streams = open(reader, "rb"), open(writer, "wb"), open(console_in, "rb"), open(console_out, "wb")
    for setting in sys.argv[8:]:
        name, _, number = setting.partition("=")
        setattr(chip, name, int(number))
    shims = sys.path[0]
    vfs.mount(vfs.VfsPosix(shims), "/.rom")
    flash.mount(sys.argv[5], sys.argv[6])
    # The emulated modules stand for those built into the chip's interpreter.
    sys.path[:] = ["", "/.rom", "/lib"]
    line = console.Console(streams[2], streams[3])
    chip.console_poll = line.poll
    chip.connect(streams[0], streams[1], utime.ticks_us)
    names = {"__name__": "__main__"}
    prompt = console.Prompt(line, names)
    if _run("boot.py", line, names) and sys.argv[7] != "raw":
        _run("main.py", line, names)
    prompt.run(sys.argv[7] == "raw")


def _run(name, line, names):
    """Runs a file of the root if it is there; False when a person broke it off."""
    try:
        with open("/" + name) as stream:
            text = stream.read()
    except OSError:
        return True
    try:
        code = compile(text, name, "exec")
        line.enable_break = True
        exec(code, names)
        return True
    except KeyboardInterrupt as error:
        sys.print_exception(error)
        return False
    except SystemExit:
        return True
    except BaseException as error:
        sys.print_exception(error)
        return True
    finally:
        line.enable_break = False


main()
