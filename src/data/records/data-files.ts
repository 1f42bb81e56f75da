import { statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { requireRegularFile } from '../../formats/files/regular-file.ts'
import { DataError } from './example.ts'

/** Endings of the files that a folder is searched for; each may have `.gz` behind it. */
export const DATA_ENDINGS = ['.txt', '.md', '.jsonl', '.ndjson', '.json', '.csv', '.tsv'] as const
/** Endings of data that are not read, with what to do. */
const UNREAD_ENDINGS: Readonly<Record<string, string>> = {
  '.parquet': 'Parquet is not read: write it as JSONL',
  '.arrow': 'Arrow is not read: write it as JSONL',
  '.zst': 'Zstandard is not read: unpack it',
  '.xz': 'XZ is not read: unpack it',
  '.bz2': 'bzip2 is not read: unpack it',
  '.zip': 'ZIP is not read: unpack it',
  '.tar': 'TAR is not read: unpack it',
  '.xlsx': 'Excel is not read: save it as CSV',
  '.pdf': 'PDF is not read: save it as text',
  '.docx': 'Word is not read: save it as text',
  '.yaml': 'YAML is not read',
  '.yml': 'YAML is not read'
}
const GZIP = '.gz'

/** Files that describe a data set, by the names that the Hugging Face hub, `datasets` and repositories have for them. */
const DESCRIPTION =
  /^(readme|license|licence|copying|notice|citation|changelog|contributing|authors|dataset_infos?|dataset_dict|state|metadata|croissant|manifest|package|config|index|schema)(\.[^.]+)*$/i
/** Parts of names that say that a file is not for training, as `datasets` tells splits. */
const OTHER_SPLIT =
  /(^|[^a-z0-9])(test|testing|eval|evaluation|valid|validation|val|dev|heldout|holdout)([^a-z0-9]|$)/i
const TRAIN_SPLIT = /(^|[^a-z0-9])(train|training)([^a-z0-9]|$)/i

/** A file that is not trained on, and why. */
export interface PassedOver {
  readonly file: string
  readonly reason: string
}

/** The files that a path means, and those that it does not. */
export interface DataFiles {
  readonly files: readonly string[]
  readonly passedOver: readonly PassedOver[]
}

/** The data files that a path means: see `findDataFiles`. */
export async function dataFiles(path: string): Promise<string[]> {
  return [...(await findDataFiles(path)).files]
}

/**
 * The data files that a path means: itself, or everything under a folder whose ending is known, in the order of their
 * names. Left out of a folder are what describes a data set, its splits for tests, and formats that are not read; a file
 * is read whatever its name when it is named itself. Names that begin with a dot are passed over.
 *
 * @throws {DataError} when there is nothing
 */
export async function findDataFiles(path: string): Promise<DataFiles> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new DataError(`no data found at ${path}`)
  if (!found.isDirectory()) return { files: [path], passedOver: [] }
  const all = await filesBelow(path)
  const readable = all.filter((file) => dataEnding(file) !== undefined)
  const hasTrain = readable.some((file) => TRAIN_SPLIT.test(file.slice(path.length)))
  const files: string[] = []
  const passedOver: PassedOver[] = []
  for (const file of all) {
    const reason = reasonToPass(file, file.slice(path.length), hasTrain)
    if (reason !== undefined) passedOver.push({ file, reason })
    else if (dataEnding(file) !== undefined) files.push(file)
  }
  for (const file of files) requireData(file)
  if (files.length > 0) return { files, passedOver }
  const why = passedOver.map(({ file, reason }) => `; ${file}: ${reason}`).slice(0, 8)
  const cure = passedOver.length > 0 ? '; name a file itself to train on it' : ''
  throw new DataError(`${path} holds no data: looked for ${DATA_ENDINGS.join(', ')}${why.join('')}${cure}`)
}

/** @throws {DataError} naming what is not a regular file, or is in a format that is not read */
export function requireData(path: string): void {
  try {
    requireRegularFile(path)
  } catch (error) {
    throw new DataError(error instanceof Error ? error.message : String(error))
  }
  const unread = UNREAD_ENDINGS[extname(path).toLowerCase()]
  if (unread !== undefined) throw new DataError(`${path}: ${unread}`)
}

/** The ending that says how a file is read, without `.gz`; undefined for other files. */
export function dataEnding(path: string): string | undefined {
  const name = path.toLowerCase()
  const ending = extname(name.endsWith(GZIP) ? name.slice(0, -GZIP.length) : name)
  return DATA_ENDINGS.find((known) => known === ending)
}

/** Whether a file is packed with gzip, by its ending. */
export function isGzip(path: string): boolean {
  return path.toLowerCase().endsWith(GZIP)
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const hidden = (file: string): boolean =>
    file
      .slice(path.length)
      .split(/[/\\]/)
      .some((part) => part.startsWith('.'))
  return (
    entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      // A folder behind a link is not searched, as those of dot files are not.
      .filter((file) => !hidden(file) && statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true)
      .sort()
  )
}

/** Why a file of a folder is not trained on; undefined where it is, or is not a data file. */
function reasonToPass(file: string, below: string, hasTrain: boolean): string | undefined {
  const unread = UNREAD_ENDINGS[extname(file).toLowerCase()]
  if (unread !== undefined) return unread
  const ending = dataEnding(file)
  if (ending === undefined) return isGzip(file) ? 'a packed file that is not data by its name' : undefined
  if (DESCRIPTION.test(basename(file))) return 'describes the data'
  // Notes may have any name; beside a file for training, theirs say the same as those of records.
  const isText = ending === '.txt' || ending === '.md'
  if (OTHER_SPLIT.test(below) && !TRAIN_SPLIT.test(basename(file)) && (!isText || hasTrain))
    return 'a split that is not for training'
  return undefined
}
