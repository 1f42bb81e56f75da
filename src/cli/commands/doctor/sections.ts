/**
 * The sections of `loam doctor`, one file each.
 *
 * @example
 * ```ts
 * for (const section of doctorSections) console.log((await section.examine({ home: '.', settings: {} })).text)
 * ```
 */
import { executorsSection } from './executors.ts'
import { machineSection } from './machine.ts'
import { networkSection } from './network.ts'
import type { DoctorSection } from './section.ts'

export type { DoctorOptions, DoctorSection, Findings } from './section.ts'
export { wrap } from './wrap.ts'

/** In the order in which they are printed. */
export const doctorSections: readonly DoctorSection[] = [machineSection, executorsSection, networkSection]
