import type { SettingValues } from '../../../node/config/index.ts'

/** One thing that `loam doctor` looks at. */
export interface DoctorSection {
  /** Key of its findings in the `--json` object. */
  readonly name: string
  examine(options: DoctorOptions): Promise<Findings>
}

/** What a section found. */
export interface Findings {
  /** For `--json`. */
  readonly result: unknown
  /** For people, at most 80 columns wide. */
  readonly text: string
  /** What keeps Loam, or a part of it, from working well, in whole sentences. */
  readonly warnings?: readonly string[]
  /** What an operator has to do before it works. */
  readonly actions?: readonly string[]
}

/** What `loam doctor` was asked. */
export interface DoctorOptions {
  /** Folder whose disk is looked at, and the home whose network is. */
  readonly home: string
  /** Settings over those of the home. */
  readonly settings: SettingValues
}
