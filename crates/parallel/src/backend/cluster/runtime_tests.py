"""Runs a batch as an engine's worker does, and has it cancelled when its slot does not know it yet.
Then one whose executable comes late."""

import hashlib
import os
import shutil
import sys
import tempfile
import types

text, executable, payload = sys.argv[1:]
runtime = types.ModuleType("runtime")
exec(compile(text, "runtime.py", "exec"), runtime.__dict__)
runtime.session_of("session").executable = executable

give = runtime.Slot.give


def cancel_and_give(slot, arrays):
    assert runtime.cancel("session", [7, 8]) == [7]
    give(slot, arrays)


runtime.Slot.give = cancel_and_give
answer = runtime.run("session", "", None, "", 1, 7, bytes.fromhex(payload), None)
# It is not taken away, since its answer may be on its way.
assert runtime.cancel("session", [7, 8]) == [7]
# And what was cancelled before it came does not begin.
assert runtime.run("session", "", None, "", 1, 8, bytes.fromhex(payload), None) == b""
runtime.forget("session")

with tempfile.TemporaryDirectory() as folder:
    shipped = os.path.join(folder, "shipped")
    with open(executable, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()

    def run(into=folder):
        return runtime.run("late", digest, shipped, into, 1, 9, b"", None)

    runtime.cancel("late", [9])
    # Of an executable that is on its way nothing is there, and then a part.
    for part in (None, b"#!"):
        if part:
            with open(shipped, "wb") as file:
                file.write(part)
        try:
            assert not run()
        except EOFError as error:
            assert shipped in str(error) or digest in str(error)
        else:
            assert False
    shutil.copy(executable, shipped)
    # What cannot be written once may be so later.
    try:
        assert not run(into=shipped)
    except OSError as error:
        assert shipped in str(error)
    else:
        assert False
    assert run() == b""
    runtime.forget("late")
sys.stdout.buffer.write(answer)
