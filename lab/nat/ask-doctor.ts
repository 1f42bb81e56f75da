import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { NetworkView } from '../../src/node/diagnosis/index.ts'
import { commandFile } from '../../src/package-root.ts'
import type { LabHost } from '../network-lab/namespaces.ts'

/** What `loam doctor --only network --json` prints. */
export interface DoctorAnswer {
  readonly network: Pick<NetworkView, 'source' | 'autoNat' | 'inbound' | 'observed' | 'reservations'>
  readonly warnings: readonly string[]
  readonly actions: readonly string[]
}

/** Timeout, milliseconds. */
const DOCTOR_MS = 60_000

/**
 * Runs `loam doctor` for the network of a peer on a host of a lab.
 *
 * @throws {Error} with its output, if it prints no answer
 */
export async function askDoctor({ prefix }: LabHost, home: string): Promise<DoctorAnswer> {
  const flags = ['doctor', '--home', home, '--only', 'network', '--json']
  const [command, ...args] = [...prefix, process.execPath, commandFile(), ...flags]
  // Exit code 1 means that the doctor found problems; it still prints an answer.
  const { stdout, stderr } = await promisify(execFile)(command!, args, { timeout: DOCTOR_MS }).catch(
    (error: { stdout?: string; stderr?: string }) => ({ stdout: '', stderr: String(error), ...error })
  )
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as DoctorAnswer
  } catch {
    throw new Error(`loam doctor gave no answer: ${stderr}`)
  }
}
