#!/usr/bin/env node
import '../node/network/core/promise-polyfill.ts'
import { type Command, CommanderError } from 'commander'
import { createProgram } from './commands/program.ts'
import { EXIT, printError, tolerateClosedOutput } from './terminal/output.ts'
import { UsageError } from './terminal/usage-error.ts'

/** Commander exits the process unless every command overrides that. */
function overrideExits(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) overrideExits(child)
}

async function main(): Promise<number> {
  const program = await createProgram(process.argv.slice(2))
  overrideExits(program)
  try {
    await program.parseAsync()
    return Number(process.exitCode ?? EXIT.done)
  } catch (error) {
    if (error instanceof UsageError) {
      printError(error)
      return EXIT.usage
    }
    // Commander has printed what was wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    printError(error)
    return EXIT.failed
  }
}

tolerateClosedOutput()
process.exitCode = await main()
