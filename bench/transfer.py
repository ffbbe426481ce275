"""The process whose memory and speed are measured: it imports nothing of the benchmark's own."""

from tests.described import PRELUDE

PROGRAM = (
    PRELUDE
    + """
async def chunks():
    for number in range(1024):
        yield number.to_bytes(4, "big") * (MIB // 4)

async def main():
    storage = open_storage(settings)
    begun = time.perf_counter()
    await storage.write_stream("big", chunks(), size=1024 * MIB)
    up = time.perf_counter() - begun
    begun = time.perf_counter()
    size = 0
    async for chunk in await storage.open("big"):
        size += len(chunk)
    down = time.perf_counter() - begun
    assert size == 1024 * MIB
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    slots = asyncio.Semaphore(16)
    async def put(number):
        async with slots:
            await storage.write(f"many/{number:05}", b"x")
    await asyncio.gather(*map(put, range(5000)))
    begun = time.perf_counter()
    assert len(await storage.list("many")) == 5000
    print(up, down, int(peak.split()[1]) * 1024, time.perf_counter() - begun)
    await storage.close()

asyncio.run(main())
"""
)
