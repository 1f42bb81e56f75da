import type { SettingValues } from '../../../node/config/index.ts'

/** One thing that `loam doctor` examines. */
export interface DoctorSection {
  /** Key of its findings in the `--json` object. */
  readonly name: string
  examine(options: DoctorOptions): Promise<Findings>
}

/** The result of a section. */
export interface Findings {
  /** For `--json`. */
  readonly result: unknown
  /** Text of at most 80 columns. */
  readonly text: string
  /** What prevents Loam, or part of it, from working well, in whole sentences. */
  readonly warnings?: readonly string[]
  /** What an operator has to do to make it work. */
  readonly actions?: readonly string[]
}

/** What `loam doctor` was asked to examine. */
export interface DoctorOptions {
  /** The home whose disk and network are examined. */
  readonly home: string
  /** Settings that override those of the home. */
  readonly settings: SettingValues
}
