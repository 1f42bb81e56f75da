import { Command } from 'commander'
import { packageVersion } from '../../package-root.ts'
import { adapterCommand } from './adapter.ts'
import { baseCommand } from './base/base.ts'
import { configCommand } from './config.ts'
import { consortiumCommand } from './consortium/consortium.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { evalCommand } from './eval/eval.ts'
import { generateCommand } from './generate/generate.ts'
import { identityCommand } from './identity.ts'
import { inviteCommand } from './invite.ts'
import { joinCommand } from './join.ts'
import { logsCommand } from './logs.ts'
import { membersCommand } from './members/members.ts'
import { peerCommand } from './peer/peer.ts'
import { peersCommand } from './peers.ts'
import { relayCommand } from './relay.ts'
import { roundsCommand } from './rounds.ts'
import { statusCommand } from './status.ts'
import { testnetCommand } from './testnet/testnet.ts'
import { trainCommand } from './train/train.ts'
import { verifyCommand } from './verify.ts'

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
