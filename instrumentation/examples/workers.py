"""Work in threads, tasks and processes: `python workers.py threads`, `pool-fork`, …"""

import asyncio
import logging
import multiprocessing
import sys
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

log = logging.getLogger("workers")


def work(number: int) -> None:
    log.warning("Part %d is done", number)
    if number == 3:
        raise ValueError("cannot mail nora.lind@example.org")


async def tasks() -> None:
    await asyncio.wait([asyncio.create_task(asyncio.to_thread(work, n)) for n in range(4)])


def executor(pool: Executor) -> None:
    with pool:
        for part in [pool.submit(work, number) for number in range(4)]:
            if error := part.exception():
                log.error("A part failed", exc_info=error)


if __name__ == "__main__":
    way, _, start = sys.argv[1].partition("-")
    context = multiprocessing.get_context(start or None)
    if way == "tasks":
        asyncio.run(tasks())
    elif way in ("threads", "pool"):
        executor(ThreadPoolExecutor(2) if way == "threads" else ProcessPoolExecutor(2, context))
    else:
        child = context.Process(target=work, args=(3,))
        child.start()
        child.join()
