import { commandFaults, flagFaults } from './command-faults.ts'
import type { Document } from './document.ts'
import type { Fault } from './fault.ts'
import { homeFaults } from './home-faults.ts'
import type { House } from './house.ts'
import { linkFaults } from './link-faults.ts'
import { pathFaults } from './path-faults.ts'
import { quoteFaults, testNameFaults } from './quote-faults.ts'
import { scriptFaults, undocumentedScripts } from './script-faults.ts'
import { settingFaults, undocumentedCommands } from './setting-faults.ts'

/**
 * All statements in documents about paths, scripts, commands, flags, defaults and messages that the tree contradicts.
 */
export function findFaults(documents: readonly Document[], house: House): Fault[] {
  const faults = documents.flatMap((document) => [
    ...pathFaults(document, house),
    ...linkFaults(document, house, documents),
    ...commandFaults(document, house),
    ...flagFaults(document, house),
    ...scriptFaults(document, house),
    ...settingFaults(document, house),
    ...quoteFaults(document, house),
    ...testNameFaults(document, house),
    ...homeFaults(document)
  ])
  return [...faults, ...undocumentedCommands(documents, house), ...undocumentedScripts(documents, house)]
}

/** A fault in the format that editors parse: `file:line: what`. */
export function faultText({ path, line, what }: Fault): string {
  return `${path}:${line}: ${what}`
}
