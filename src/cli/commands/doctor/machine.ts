import { existsSync } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'
import { arch, availableParallelism, cpus, freemem, platform, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { packageRoot } from '../../../package-root.ts'
import type { DoctorSection } from './section.ts'

const GIB = 1024 ** 3
/** Memory that the testnet's four peers need, bytes. */
const MEMORY_WANTED = 2 * GIB
/** Disk space that homes need for rounds and blocks, bytes. */
const DISK_WANTED = 2 * GIB

/** Node.js, the processor, memory and disk. */
export const machineSection: DoctorSection = {
  name: 'machine',
  async examine({ home }) {
    const { version, engines } = JSON.parse(await readFile(join(packageRoot(), 'package.json'), 'utf8')) as {
      version: string
      engines: { node: string }
    }
    const limit = process.constrainedMemory()
    const total = limit > 0 ? Math.min(totalmem(), limit) : totalmem()
    const folder = existingFolder(resolve(home))
    const { bavail, bsize } = await statfs(folder)
    const result = {
      loam: version,
      node: process.versions.node,
      platform: platform(),
      architecture: arch(),
      cores: availableParallelism(),
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      memory: { totalBytes: total, freeBytes: Math.min(freemem(), total) },
      disk: { folder, freeBytes: bavail * bsize }
    }
    const warnings: string[] = []
    const actions: string[] = []
    const needed = engines.node.replace(/^\D+/, '')
    if (isOlder(result.node, needed))
      actions.push(`Node.js ${result.node} is too old: Loam needs ${needed} or later.`)
    if (total < MEMORY_WANTED) warnings.push('There is less than 2 GiB of memory: train small models only.')
    if (result.disk.freeBytes < DISK_WANTED)
      warnings.push(`There is less than 2 GiB free at ${folder}: a home grows with every round.`)
    const lines = [
      ['Loam', version],
      ['Node.js', `${result.node} on ${result.platform}-${result.architecture}`],
      ['cores', `${result.cores} (${result.processor})`],
      ['memory', `${gibibytes(total)}, of which ${gibibytes(result.memory.freeBytes)} free`],
      ['disk', `${gibibytes(result.disk.freeBytes)} free at ${folder}`]
    ]
    const text = lines.map(([name, value]) => `${name!.padEnd(9)}${value}`).join('\n')
    return { result, text, warnings, actions }
  }
}

function gibibytes(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}

/** The folder itself, or its nearest existing parent, since the home may be created later. */
function existingFolder(folder: string): string {
  return existsSync(folder) ? folder : existingFolder(dirname(folder))
}

/** Whether version `found` is older than `needed`, both as numbers separated by dots. */
export function isOlder(found: string, needed: string): boolean {
  const [left, right] = [found, needed].map((version) => version.split('.').map(Number))
  const place = right!.findIndex((number, index) => number !== left![index])
  return place >= 0 && left![place]! < right![place]!
}
