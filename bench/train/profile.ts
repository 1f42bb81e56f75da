// Where the time of a step goes, by onnxruntime's own profiler: profile.js SHAPE [THREADS] [STEPS]
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { createLoraTrainer } from '../../src/model/index.ts'
import { readProblem, writeProblem } from './problem.ts'
import { benchShapes } from './shapes.ts'

interface ProfileEvent {
  readonly cat: string
  readonly name: string
  readonly dur: number
  readonly ts: number
  readonly args?: {
    readonly op_name?: string
    readonly input_type_shape?: readonly Record<string, readonly number[]>[]
    readonly output_type_shape?: readonly Record<string, readonly number[]>[]
  }
}

const [name = 'shipped', threads = '1', steps = '4'] = process.argv.slice(2)
const shape = benchShapes().find((each) => each.name === name)
if (!shape) throw new Error(`no shape is called ${name}`)
const folder = mkdtempSync(join(tmpdir(), 'loam-profile-'))
let session: InferenceSession | undefined
const create = InferenceSession.create.bind(InferenceSession) as (
  bytes: Uint8Array,
  options: InferenceSession.SessionOptions
) => Promise<InferenceSession>
InferenceSession.create = (async (bytes: Uint8Array, options: InferenceSession.SessionOptions) => {
  session = await create(bytes, {
    ...options,
    enableProfiling: true,
    profileFilePrefix: join(folder, 'profile')
  })
  return session
}) as typeof InferenceSession.create
try {
  writeProblem(folder, shape)
  const { problem, weights, batch } = readProblem(folder)
  const trainer = await createLoraTrainer({ ...problem, threads: Number(threads) })
  await trainer.train({
    weights,
    seed: 1,
    steps: Number(steps),
    nextBatch: () => batch,
    schedule: { kind: 'constant', learningRate: problem.learningRate }
  })
  session!.endProfiling()
  const file = readdirSync(folder).find((each) => each.startsWith('profile'))!
  report(JSON.parse(readFileSync(join(folder, file), 'utf8')))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Prints the last step: its kernels by type and shape, costliest first. */
function report(events: readonly ProfileEvent[]): void {
  const runs = events.filter((event) => event.name === 'model_run')
  const last = runs.at(-1)!
  const kernels = events.filter(
    (event) => event.cat === 'Node' && event.name.endsWith('_kernel_time') && event.ts >= last.ts
  )
  const groups = new Map<string, { count: number; us: number }>()
  const byType = new Map<string, { count: number; us: number }>()
  for (const { args, dur } of kernels) {
    const shapes = (list: typeof args): string =>
      [list?.input_type_shape, list?.output_type_shape]
        .map((side) => (side ?? []).map((each) => `[${Object.values(each)[0]}]`).join(' '))
        .join(' → ')
    for (const [map, key] of [
      [groups, `${args?.op_name} ${shapes(args)}`],
      [byType, `${args?.op_name}`]
    ] as const) {
      const group = map.get(key) ?? { count: 0, us: 0 }
      map.set(key, { count: group.count + 1, us: group.us + dur })
    }
  }
  const total = kernels.reduce((sum, { dur }) => sum + dur, 0)
  console.log(
    `${shape!.name}: a step ${(last.dur / 1e3).toFixed(1)} ms, ${kernels.length} kernels ${(total / 1e3).toFixed(1)} ms`
  )
  for (const map of [byType, groups]) {
    const sorted = [...map].sort(([, a], [, b]) => b.us - a.us).slice(0, 45)
    for (const [key, { count, us }] of sorted) {
      console.log(`${(us / 1e3).toFixed(2).padStart(9)} ms ${String(count).padStart(4)} x ${key}`)
    }
    console.log('')
  }
}
