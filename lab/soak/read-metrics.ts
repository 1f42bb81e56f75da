import { connectControl } from '../../src/node/control/index.ts'
import type { Home } from '../../src/node/home/home.ts'
import { PeerError } from '../../src/node/storage/peer-error.ts'

/** Maximum number of attempts to read a peer, since a paused or busy machine answers late. */
const READINGS_MAX = 20

/**
 * Reads a running peer's own `/metrics`, in Prometheus' text format.
 *
 * @throws {PeerError} if it does not answer
 */
export async function readMetrics(home: Home): Promise<string> {
  for (let tried = 1; ; tried++) {
    try {
      const control = await connectControl(home)
      return await control.text('/metrics')
    } catch (error) {
      if (tried >= READINGS_MAX || !(error instanceof PeerError)) throw error
    }
  }
}

/** Resources held by a peer at one moment, from its own `/metrics`. Sizes are bytes. */
export interface Holdings {
  readonly memory: number
  readonly heap: number
  readonly trainerMemory: number
  readonly openFiles: number
  readonly timers: number
  readonly handles: number
  /** Disk space that pruning and rotation bound. */
  readonly boundedDisk: number
  /** Seals of all rounds, which stay by design. */
  readonly seals: number
  /** Rounds sealed since the start: counted immediately, whereas the disk is measured every few seconds. */
  readonly sealedRounds: number
}

/**
 * Reads the holdings out of Prometheus' text format. @throws {Error} if a metric is missing, so that no value is 0 by
 * accident
 */
export function holdingsOf(text: string): Holdings {
  const samples = parseSamples(text)
  const one = (name: string) => {
    const found = samples.filter((sample) => sample.name === name)
    if (found.length === 0) throw new Error(`/metrics has no ${name}`)
    return found.reduce((sum, { value }) => sum + value, 0)
  }
  const labelled = (name: string, label: string) =>
    samples
      .filter((sample) => sample.name === name && sample.labels.includes(label))
      .reduce((sum, { value }) => sum + value, 0)
  const disk = one('loam_disk_usage_bytes')
  const seals = labelled('loam_disk_usage_bytes', 'part="seals"')
  return {
    memory: one('process_resident_memory_bytes'),
    heap: one('nodejs_heap_size_used_bytes'),
    trainerMemory: one('loam_trainer_resident_memory_bytes'),
    openFiles: one('process_open_fds'),
    timers: labelled('nodejs_active_resources', 'type="Timeout"'),
    handles: one('nodejs_active_handles_total'),
    boundedDisk: disk - seals,
    seals,
    sealedRounds: one('loam_rounds_sealed_total')
  }
}

/** One line of the text format. */
export interface Sample {
  readonly name: string
  /** As written: `part="seals"`. */
  readonly labels: string
  readonly value: number
}

/** Every sample of Prometheus' text format. */
export function parseSamples(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/.exec(line) ?? []
    return name === undefined ? [] : [{ name, labels, value: Number(value) }]
  })
}
