# What `python3 -c` is given: takes the pipes over, reads the texts that come through them, and runs the bridge.
import os
import struct
import sys
import types

# What is printed goes to standard error, whoever prints it: the pipe is for frames.
reader = os.fdopen(os.dup(0), "rb")
writer = os.fdopen(os.dup(1), "wb")
with open(os.devnull, "rb") as empty:
    os.dup2(empty.fileno(), 0)
os.dup2(2, 1)
# Not what happens to lie in the folder where the program was started.
sys.path[:] = [folder for folder in sys.path if folder]

texts = {}
while "engine" not in texts:
    first, _ = struct.unpack("<QQ", reader.read(16))
    name, _, text = reader.read(first >> 8).partition(b"\0")
    texts[name.decode()] = text.decode()

bridge = types.ModuleType("parallel_bridge")
exec(compile(texts["bridge"], "bridge.py", "exec"), bridge.__dict__)
bridge.main(reader, writer, texts)
