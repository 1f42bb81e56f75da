import { setFlagsFromString } from 'node:v8'

/** How far V8's heap may grow over what lived after the last full collection until the next one begins. */
export const HEAP_GROWTH_PERCENT = 300

/**
 * Lets a process that moves blocks collect its whole heap less often. V8 counts each piece of memory that comes off a
 * socket as growth of the heap, and allows little of it where collecting is slow, as on a busy machine: of eight peers on
 * two cores each looked through the 25 MB of its objects for every 5 MB that passed, which was half of all their work.
 * Costs some tens of megabytes. For programs, not for the library: it holds for the whole process.
 */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
}
