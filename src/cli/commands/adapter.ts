import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { homeAt } from '../../node/home.ts'
import { printResult } from '../output.ts'
import { SHIPPED_MODEL } from '../shipped-model.ts'

interface ExportOptions {
  home: string
  out: string
  baseName: string
  json?: boolean
}

/** `loam adapter`: take the global adapter out. */
export function adapterCommand(): Command {
  return new Command('adapter').description("work with the consortium's adapter").addCommand(
    new Command('export')
      .description("write the consortium's adapter, all sealed rounds in one, for other tools")
      .requiredOption('--home <folder>', "a peer's home folder")
      .addOption(new Option('--format <format>', 'form to write').choices(['peft']).default('peft'))
      .requiredOption('--out <folder>', 'where it goes')
      .option('--base-name <name>', 'what base_model_name_or_path shall say', SHIPPED_MODEL)
      .option('--json', 'print one JSON object: { "folder", "rounds", "rank" }')
      .addHelpText(
        'after',
        `
The adapter's scale is folded into its weights: PEFT computes exactly the global model.

Example:
  $ loam adapter export --home ~/.loam --format peft --out adapter`
      )
      .action(async (options: ExportOptions) => {
        const { exportPeft } = await import('../../node/export-adapter.ts')
        const exported = await exportPeft(homeAt(options.home), resolve(options.out), options.baseName)
        printResult(
          exported,
          options,
          () => `${exported.folder}\nrank ${exported.rank}, from round(s) ${exported.rounds.join(', ')}`
        )
      })
  )
}
