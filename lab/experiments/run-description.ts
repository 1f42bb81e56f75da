import type { Init } from '../aggregation/index.ts'
import type { Attack } from './attacks.ts'
import type { Defence } from './defences.ts'
import type { Split } from './members.ts'
import type { RankSetting } from './settings.ts'

/** One run of the experiment, by everything that determines its outcome besides the common settings. */
export interface RunDescription {
  readonly study: 'rules' | 'start' | 'poison' | 'baseline'
  /** A rule's name, or a baseline's: `standalone`, `centralised`, `centralised-short`. */
  readonly method: string
  readonly start: Init
  readonly split: Split
  readonly ranks: RankSetting
  readonly seed: number
  readonly rounds: number
  readonly attack?: Attack
  readonly defence?: Defence
}

/** A run's name, unique among all runs: by which a resumed experiment recognises it. */
export function runId(run: RunDescription): string {
  const { study, method, start, split, ranks, seed, rounds, attack, defence } = run
  return [study, method, start, split, ranks, `${rounds}-rounds`, attack, defence, `seed-${seed}`]
    .filter((part) => part !== undefined)
    .join('/')
}
