import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { workerData } from 'node:worker_threads'

/** The real build worker, except that in a home with a file `die` the thread exits, as when out of memory. */
if (existsSync(join((workerData as { home: string }).home, 'die'))) process.exit(1)
await import('../../../../../src/node/workers/builder/build-worker.ts')
