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
  /** What keeps Loam, or a part of it, from working well, a sentence each. */
  readonly warnings?: readonly string[]
}

/** What `loam doctor` was asked. */
export interface DoctorOptions {
  /** Folder whose disk is looked at. */
  readonly home: string
}
