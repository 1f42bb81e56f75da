import { mkdir } from 'node:fs/promises'
import { Command } from 'commander'
import { homeAt } from '../../node/home/home.ts'
import { printResult } from '../terminal/output.ts'

/** `loam identity`: the member card of a home. */
export function identityCommand(): Command {
  return new Command('identity')
    .requiredOption('--home <folder>', "the peer's home folder")
    .option('--json', 'print one JSON object: { "peerId", "anchor" }')
    .addHelpText(
      'after',
      `
The card contains no secret: send it to the founder, who draws up the charter.

Example:
  $ loam identity --home ~/.loam --json > card.json`
    )
    .action(async (options: { home: string; json?: boolean }) => {
      const { loadOrCreateIdentity, memberCard } = await import('../../node/home/identity.ts')
      const home = homeAt(options.home)
      await mkdir(home.folder, { recursive: true, mode: 0o700 })
      const card = memberCard(await loadOrCreateIdentity(home.identity))
      printResult(
        card,
        options,
        () =>
          `peer id  ${card.peerId}\nanchor   ${card.anchor}\nkey      ${home.identity} (keep it secret, keep a copy)`
      )
    })
}
