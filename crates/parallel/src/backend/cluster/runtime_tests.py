"""Runs a batch as an engine's worker does, and has it cancelled when it has been given a slot which does not know it yet."""

import sys
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
sys.stdout.buffer.write(answer)
