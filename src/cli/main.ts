#!/usr/bin/env node
import '../node/network/host/promise-polyfill.ts'
import { Command, CommanderError } from 'commander'
import { packageVersion } from '../package-root.ts'
import { adapterCommand } from './commands/adapter.ts'
import { baseCommand } from './commands/base/base.ts'
import { configCommand } from './commands/config.ts'
import { consortiumCommand } from './commands/consortium/consortium.ts'
import { doctorCommand } from './commands/doctor/doctor.ts'
import { evalCommand } from './commands/eval/eval.ts'
import { generateCommand } from './commands/generate/generate.ts'
import { identityCommand } from './commands/identity.ts'
import { inviteCommand } from './commands/invite.ts'
import { joinCommand } from './commands/join.ts'
import { logsCommand } from './commands/logs.ts'
import { membersCommand } from './commands/members/members.ts'
import { peerCommand } from './commands/peer/peer.ts'
import { peersCommand } from './commands/peers.ts'
import { relayCommand } from './commands/relay.ts'
import { roundsCommand } from './commands/rounds.ts'
import { statusCommand } from './commands/status.ts'
import { testnetCommand } from './commands/testnet/testnet.ts'
import { trainCommand } from './commands/train/train.ts'
import { verifyCommand } from './commands/verify.ts'
import { EXIT, printError, tolerateClosedOutput } from './terminal/output.ts'
import { UsageError } from './terminal/usage-error.ts'

/** The `loam` command with its subcommands. */
export function createProgram(): Command {
  const program = new Command('loam')
    .description('LoRA over a mesh: fine-tune one language model together, without a server')
    .version(packageVersion())
    .showHelpAfterError('(see loam --help)')
    .addHelpText(
      'after',
      `
Examples:
  $ loam testnet                          a whole network on this machine
  $ loam identity --home ~/.loam          this peer's identity; made if needed
  $ loam peer --home ~/.loam              take part in a consortium
  $ loam status --home ~/.loam            what a running peer is doing
  $ loam join INVITE --home ~/.loam       ask to join a consortium
  $ loam train --data FILE --out DIR      fine-tune on this machine alone
  $ loam doctor                           what can compute on this machine
  $ loam COMMAND --help                   a command's options, with examples

Exit codes: 0 success, 1 failure, 2 incorrect usage (including no command).
LOAM_DEBUG=1 prints the stack of an error.`
    )
  for (const command of [
    testnetCommand(),
    peerCommand(),
    relayCommand(),
    configCommand(),
    statusCommand(),
    peersCommand(),
    roundsCommand(),
    logsCommand(),
    identityCommand(),
    consortiumCommand(),
    inviteCommand(),
    joinCommand(),
    baseCommand(),
    membersCommand(),
    verifyCommand(),
    adapterCommand(),
    trainCommand(),
    generateCommand(),
    evalCommand(),
    doctorCommand()
  ])
    program.addCommand(command)
  return program
}

/** Commander ends the process by itself unless every command is told not to. */
function overrideExits(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) overrideExits(child)
}

async function main(): Promise<number> {
  const program = createProgram()
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
