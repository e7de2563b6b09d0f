"""Has the bridge renew the lease by an engine that does not answer."""

import asyncio
import io
import sys
import types

bridge = types.ModuleType("bridge")
exec(compile(sys.argv[1], "bridge.py", "exec"), bridge.__dict__)
bridge.RENEW = 0.01


class Silent:
    """An engine of which one node never answers."""

    def __init__(self):
        self.asked = 0
        self.often = asyncio.Event()

    async def renew(self):
        self.asked += 1
        if self.asked == 3:
            self.often.set()
        await asyncio.Event().wait()


async def the_lease_is_renewed_by_the_clock():
    here = bridge.Bridge(io.BytesIO(), {})
    here.engine = Silent()
    here.chore(here.renew())
    await asyncio.wait_for(here.engine.often.wait(), 10)


asyncio.run(the_lease_is_renewed_by_the_clock())
