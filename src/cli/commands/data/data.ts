import { Command } from 'commander'
import { dataSettings, describeSetting, type Setting } from '../../../node/config/index.ts'
import { integer } from '../../options/parsers.ts'
import { addFlags, givenFlags } from '../../options/setting-flags.ts'

/** Flags of `loam data inspect` that are not data settings. */
export interface InspectFlags {
  readonly model?: string
  readonly template?: string
  readonly tokens?: boolean
  readonly examples: number
  readonly json?: boolean
}

const DATA_SETTINGS: readonly Setting[] = Object.entries(dataSettings.shape)
  .filter(([key]) => key !== 'skipBad')
  .map(([key, schema]) => describeSetting(key, schema))

/** `loam data`: inspects training data. */
export function dataCommand(): Command {
  return new Command('data').description('inspect training data').addCommand(inspectCommand())
}

function inspectCommand(): Command {
  const command = new Command('inspect')
    .description('show how a file or folder is read: records, tokens, and which of them are learned')
    .argument('<path>', 'training data, as for loam train --data')
    .option('--model <folder>', 'folder of the base model (default: the model that Loam ships)')
    .option('--tokens', 'list the ids of the examples shown, with their text and which are learned')
    .option('--examples <n>', 'number of examples to show', integer('--examples', 0), 1)
  return addFlags(command, DATA_SETTINGS)
    .option('--template <json>', 'template for records with unknown keys, as JSON')
    .option(
      '--json',
      'print one JSON object: { "format", "records", "examples", "tokens", "targets", "bad", "notes", "shown" }'
    )
    .addHelpText(
      'after',
      `
Nothing is trained. Learned text is shown between ⟦ and ⟧. All invalid records
are listed; files left out of training and ignored keys are named with the
reason.

Examples:
  $ loam data inspect alpaca.jsonl
  $ loam data inspect chats/ --model models/chat --tokens --examples 3
  $ loam data inspect faq.csv --tokens \\
      --template '{ "prompt": "Q: {question}\\nA: ", "completion": "{answer}" }'`
    )
    .action(async (path: string, flags: InspectFlags) => {
      const settings = givenFlags(command, { ...flags }, DATA_SETTINGS)
      const { runInspection } = await import('./run-inspection.ts')
      await runInspection(path, settings, flags)
    })
}
