"""Procrastinate on PostgreSQL: deferred in batches of 500, run by its own worker as coroutines; rows stay."""

import asyncio

from procrastinate import App, PsycopgConnector

from benchmarks.runs.spec import Spec, Told, Watch, perform

_BATCH = 500
_CONCURRENCY = 10


async def _work(spec: Spec) -> Told:
    app = App(connector=PsycopgConnector(conninfo=spec.database))

    @app.task(name="nothing")
    async def nothing() -> None:
        """Does nothing."""

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        watch = Watch()
        for _ in range(spec.runs // _BATCH):
            await nothing.batch_defer_async(*[{}] * _BATCH)
        await app.run_worker_async(concurrency=_CONCURRENCY, wait=False, listen_notify=False, delete_jobs="never")
        told = watch.told(0)
        done = await app.connector.execute_query_one_async(
            "SELECT count(*) AS done FROM procrastinate_jobs WHERE status = 'succeeded'"
        )
    return Told(told.work_s, told.cpu_s, done["done"])


def work(spec: Spec) -> Told:
    """Defers and runs; the time ends when its worker finds nothing left."""
    return asyncio.run(_work(spec))


if __name__ == "__main__":
    perform(work)
