import { Command } from 'commander'
import { TESTNET_SETTINGS, testnetSettingsSchema } from '../../../../scripts/testnet/options.ts'
import { addFlags, givenFlags } from '../../options/setting-flags.ts'

/** `loam testnet`: a whole network on this machine. */
export function testnetCommand(): Command {
  const command = new Command('testnet')
  return addFlags(command, TESTNET_SETTINGS)
    .option('--json', 'print one JSON object as the last line')
    .addHelpText(
      'after',
      `
Each peer has its own key, home, LoRA rank and domain of text. Ctrl-C stops all
of them.

Examples:
  $ loam testnet
  $ loam testnet --peers 7 --rounds 2 --ranks 8,4 --out /tmp/seven
  $ loam testnet --json --out run > run.json`
    )
    .action(async (flags: { readonly json?: boolean }) => {
      const settings = testnetSettingsSchema.parse(givenFlags(command, { ...flags }, TESTNET_SETTINGS))
      const { runCommand } = await import('./run-command.ts')
      await runCommand(settings, flags)
    })
}
