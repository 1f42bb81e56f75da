import { Command } from 'commander'
import { printResult } from '../../terminal/output.ts'
import { createCommand } from './create.ts'

/** `loam consortium`: creates and shows charters. */
export function consortiumCommand(): Command {
  return new Command('consortium').addCommand(createCommand()).addCommand(inspectCommand())
}

function inspectCommand(): Command {
  return new Command('inspect')
    .description('check a charter and show its terms')
    .argument('<charter>', 'charter file')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ loam consortium inspect charter.cbor')
    .action(async (path: string, options: { json?: boolean }) => {
      const { charterSummaryText, summariseCharter } = await import('./charter-summary.ts')
      const summary = await summariseCharter(path)
      printResult(summary, options, () => charterSummaryText(summary))
    })
}
