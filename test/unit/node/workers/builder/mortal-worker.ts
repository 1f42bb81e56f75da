import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { workerData } from 'node:worker_threads'

/** The real build worker, but for a home that holds a file `die`: there the thread ends, as one without memory does. */
if (existsSync(join((workerData as { home: string }).home, 'die'))) process.exit(1)
await import('../../../../../src/node/workers/builder/build-worker.ts')
