import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Home, roundFiles } from '../home/home.ts'

/** Parts of a home: blocks, stacks and models are pruned; seals are kept forever. */
export type DiskPart = 'blocks' | 'stacks' | 'models' | 'seals' | 'logs' | 'other'

/** Bytes by part. */
export type DiskUsage = Readonly<Record<DiskPart, number>>

/** How long a count is reused, milliseconds: walking over all blocks is expensive. */
const COUNT_AGAIN_MS = 5_000

/** Counts the bytes of a home; if asked more often it returns the last count. */
export function diskMeter(home: Home): () => Promise<DiskUsage> {
  let last: { readonly at: number; readonly usage: Promise<DiskUsage> } | undefined
  return () => {
    const now = performance.now()
    if (last === undefined || now - last.at > COUNT_AGAIN_MS) last = { at: now, usage: measure(home) }
    return last.usage
  }
}

async function measure(home: Home): Promise<DiskUsage> {
  const usage = { blocks: 0, stacks: 0, models: 0, seals: 0, logs: 0, other: 0 }
  for (const path of await filesIn(home.folder)) usage[partOf(home, path)] += await sizeOf(path)
  for (const path of await filesIn(home.blocks)) usage.blocks += await sizeOf(path)
  const { stack, sealed } = roundFiles(home, 1)
  for (const round of await namesIn(home.rounds))
    for (const path of await filesIn(join(home.rounds, round))) {
      const name = basename(path)
      usage[name === basename(stack) ? 'stacks' : name === basename(sealed) ? 'seals' : 'models'] +=
        await sizeOf(path)
    }
  return usage
}

function partOf(home: Home, path: string): DiskPart {
  return path.startsWith(home.log) ? 'logs' : 'other'
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ name }) => join(folder, name))
  } catch {
    return []
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch {
    return []
  }
}

/** Files appear and disappear during the count. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0
  }
}
