import { Command } from 'commander'
import { integer } from '../../options/parsers.ts'
import type { OutputOptions } from '../../terminal/output.ts'

/** Flags of all membership commands. */
export interface HomeOptions extends OutputOptions {
  readonly home: string
}

/** Flags of `loam members request`. */
export interface RequestOptions extends HomeOptions {
  readonly standing: string
  readonly rounds?: number
  readonly out: string
}

const homeOption = ['--home <folder>', "a peer's home folder"] as const
const jsonOption = ['--json', 'print one JSON object'] as const
const actions = () => import('./actions.ts')

/** `loam members`: lists members and requests changes of membership. */
export function membersCommand(): Command {
  return new Command('members')
    .addCommand(listCommand())
    .addCommand(requestCommand())
    .addCommand(admitCommand())
    .addCommand(leaveCommand())
    .addCommand(evictCommand())
    .addHelpText(
      'after',
      `
Examples:
  A member, for the candidate:
  $ loam members list --home ~/.loam --json > standing.json
  The candidate:
  $ loam members request --home NEW --standing standing.json --out request.json
  A quorum of members, each in its own home:
  $ loam members admit --home ~/.loam request.json
  $ loam members evict --home ~/.loam 12D3KooW... --standing standing.json
  A member that leaves:
  $ loam members leave --home ~/.loam

A running peer picks up the request within seconds and supports it in every
round until it takes effect or expires.`
    )
}

function listCommand(): Command {
  return new Command('list')
    .description('list the members after the last sealed round of a home')
    .requiredOption(...homeOption)
    .option(...jsonOption)
    .action(async (options: HomeOptions) => (await actions()).runList(options))
}

function requestCommand(): Command {
  return new Command('request')
    .description('draw up and sign a request to join; a quorum of members has to admit it')
    .requiredOption(...homeOption)
    .requiredOption('--standing <file>', 'output of loam members list --json of a member')
    .option('--rounds <n>', 'number of rounds in which it may take effect', integer('--rounds', 1))
    .requiredOption('--out <file>', 'request file to write, for the members')
    .option(...jsonOption)
    .action(async (options: RequestOptions) => (await actions()).runRequest(options))
}

function admitCommand(): Command {
  return new Command('admit')
    .description('support a request to join, on behalf of this member')
    .argument('<request>', 'file that the candidate created with loam members request')
    .requiredOption(...homeOption)
    .option(...jsonOption)
    .action(async (file: string, options: HomeOptions) => (await actions()).runAdmit(file, options))
}

function leaveCommand(): Command {
  return new Command('leave')
    .description('leave the consortium with the next sealed round')
    .requiredOption(...homeOption)
    .option(...jsonOption)
    .action(async (options: HomeOptions) => (await actions()).runLeave(options))
}

function evictCommand(): Command {
  return new Command('evict')
    .description('ask for the eviction of an absent member; takes effect when a quorum asks for the same')
    .argument('<peer>', 'PeerId of the member')
    .requiredOption(...homeOption)
    .requiredOption(
      '--standing <file>',
      'output of loam members list --json of one member; all who ask must use the same file'
    )
    .option(...jsonOption)
    .action(async (peerId: string, options: HomeOptions & { readonly standing: string }) =>
      (await actions()).runEvict(peerId, options)
    )
}
