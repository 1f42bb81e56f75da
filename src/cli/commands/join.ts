import { Command } from 'commander'
import { homeAt } from '../../node/home/home.ts'
import type { JoinState } from '../../node/membership/join-consortium.ts'
import { integer } from '../options/parsers.ts'
import { printResult } from '../terminal/output.ts'

interface JoinOptions {
  home: string
  rounds?: number
  json?: boolean
}

/** `loam join`: creates a home and a request to join from an invite. */
export function joinCommand(): Command {
  return new Command('join')
    .argument('<invite>', 'file that a member created with loam invite, or its text')
    .requiredOption('--home <folder>', 'home folder of the new peer')
    .option('--rounds <n>', 'number of rounds in which the request may take effect', integer('--rounds', 1))
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Checks the invite and its charter, creates a key, and writes
HOME/join-request.json, which a quorum of members has to admit. A peer started
in the meantime waits and follows the history from the charter on; it refuses a
history without the seal that the invite names.

Examples:
  $ loam join weather.invite --home ~/.loam
  $ loam join loam-invite-omV0ZXJtc6... --home ~/.loam --json`
    )
    .action(async (given: string, { home, rounds, ...options }: JoinOptions) => {
      const { joinConsortium } = await import('../../node/membership/join-consortium.ts')
      const state = await joinConsortium(homeAt(home), given, Date.now(), rounds)
      printResult(state, options, () => describe(state))
    })
}

function describe(state: JoinState): string {
  const { stage, sealed, invite } = state
  const next = {
    member: `this peer is a member: loam peer --home ${state.home}`,
    following: `following: ${sealed} of ${invite.round} rounds; keep loam peer --home ${state.home} running`,
    requested: [
      `send ${state.request} to the members: ${state.quorum} of ${state.members} have to run`,
      `           loam members admit ${state.request} --home THEIR_HOME   (by round ${state.expiry})`,
      `           and start this peer: loam peer --home ${state.home} --data FILE`
    ].join('\n')
  }[stage]
  return [
    `consortium ${state.consortium} (${state.name})`,
    `peer id    ${state.peerId}`,
    `invited by ${invite.inviter}, valid until ${invite.expires}`,
    `trusts     seal ${invite.seal} of round ${invite.round}`,
    `base       ${state.base}: loam peer fetches it from members; --model takes your own`,
    `next       ${next}`
  ].join('\n')
}
