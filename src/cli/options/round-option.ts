import { Option } from 'commander'
import type { RoundChoice } from '../../node/export/round-model.ts'
import { integer } from './parsers.ts'

/** `--round N|best`. */
export function roundOption(what: string): Option {
  const parse = integer('--round', 1)
  return new Option(
    '--round <n>',
    `${what}; best: the one whose model has the lowest loss on the home's held-out text`
  ).argParser((text): RoundChoice => (text === 'best' ? text : parse(text)))
}
