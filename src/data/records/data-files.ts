import { existsSync, statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { requireRegularFile } from '../../formats/files/regular-file.ts'
import { DataError } from './example.ts'

/** Endings of the files that a folder is searched for; those of text may have `.gz` or `.zst` behind them. */
export const DATA_ENDINGS = ['.txt', '.md', '.jsonl', '.ndjson', '.json', '.csv', '.tsv', '.parquet'] as const
const PACKED_ENDINGS = ['.gz', '.zst'] as const
/** Endings of data that are not read, with what to do. */
const UNREAD_ENDINGS: Readonly<Record<string, string>> = {
  '.arrow':
    'Arrow is not read: write it as Parquet or JSONL, dataset.to_parquet(file) or dataset.to_json(file)',
  '.xz': 'XZ is not read: unpack it',
  '.bz2': 'bzip2 is not read: unpack it',
  '.zip': 'ZIP is not read: unpack it',
  '.tar': 'TAR is not read: unpack it',
  '.tgz': 'TAR is not read: unpack it',
  '.7z': '7z is not read: unpack it',
  '.rar': 'RAR is not read: unpack it',
  '.lz4': 'LZ4 is not read: unpack it',
  '.xlsx': 'Excel is not read: save it as CSV',
  '.xls': 'Excel is not read: save it as CSV',
  '.pkl': 'pickles are not read, since they can run code: write the data as JSONL',
  '.pickle': 'pickles are not read, since they can run code: write the data as JSONL',
  '.npy': 'arrays of NumPy are not read: write the data as JSONL',
  '.npz': 'arrays of NumPy are not read: write the data as JSONL',
  '.h5': 'HDF5 is not read: write the data as JSONL',
  '.feather': 'Arrow is not read: write it as Parquet or JSONL',
  '.avro': 'Avro is not read: write it as JSONL',
  '.orc': 'ORC is not read: write it as JSONL',
  '.db': 'databases are not read: write the data as JSONL',
  '.sqlite': 'databases are not read: write the data as JSONL',
  '.pdf': 'PDF is not read: save it as text',
  '.docx': 'Word is not read: save it as text',
  '.yaml': 'YAML is not read',
  '.yml': 'YAML is not read'
}

const OTHER_ENDING = 'not data by its ending'

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
  const notRead: PassedOver[] = []
  for (const file of all) {
    const reason = reasonToPass(file, file.slice(path.length), hasTrain)
    if (reason === undefined) files.push(file)
    else notRead.push({ file, reason })
  }
  // Pictures and scripts may be many: what may be missed stands first.
  const passedOver = [
    ...notRead.filter(({ reason }) => reason !== OTHER_ENDING),
    ...notRead.filter(({ reason }) => reason === OTHER_ENDING)
  ]
  for (const file of files) requireData(file)
  if (files.length > 0) return { files, passedOver }
  const why = passedOver.map(({ file, reason }) => `; ${file}: ${reason}`).slice(0, 8)
  const cure = passedOver.length > 0 ? '; name a file itself to train on it' : ''
  throw new DataError(
    `${path} holds no data: looked for ${DATA_ENDINGS.join(', ')}, packed with gzip or zstd or not${why.join('')}${cure}`
  )
}

/** @throws {DataError} naming what is not a regular file, or is in a format that is not read */
export function requireData(path: string): void {
  try {
    requireRegularFile(path)
  } catch (error) {
    throw new DataError(error instanceof Error ? error.message : String(error))
  }
  const unread = unreadReason(path)
  if (unread !== undefined) throw new DataError(`${path}: ${unread}`)
}

/** What to do about a file in a format that is not read, by its ending: that of the packed file where it is packed. */
function unreadReason(path: string): string | undefined {
  return UNREAD_ENDINGS[extname(unpackedName(path)).toLowerCase()]
}

/** The ending that says how a file is read, without that of its packing; undefined for other files. */
export function dataEnding(path: string): (typeof DATA_ENDINGS)[number] | undefined {
  const ending = extname(unpackedName(path)).toLowerCase()
  const found = DATA_ENDINGS.find((known) => known === ending)
  return found === '.parquet' && packingOf(path) !== undefined ? undefined : found
}

/** How a file is packed, by its ending; undefined where it is not. */
export function packingOf(path: string): (typeof PACKED_ENDINGS)[number] | undefined {
  return PACKED_ENDINGS.find((ending) => path.toLowerCase().endsWith(ending))
}

function unpackedName(path: string): string {
  return path.slice(0, path.length - (packingOf(path)?.length ?? 0))
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

/** Why a file of a folder is not trained on; undefined where it is. */
function reasonToPass(file: string, below: string, hasTrain: boolean): string | undefined {
  const unread = unreadReason(file)
  if (unread !== undefined) return unread
  const ending = dataEnding(file)
  if (ending === undefined) return OTHER_ENDING
  if (packingOf(file) !== undefined && existsSync(unpackedName(file))) return 'lies there unpacked, too'
  if (DESCRIPTION.test(basename(file))) return 'describes the data'
  // Notes may have any name; beside a file for training, theirs say the same as those of records.
  const isText = ending === '.txt' || ending === '.md'
  if (OTHER_SPLIT.test(below) && !TRAIN_SPLIT.test(basename(file)) && (!isText || hasTrain))
    return 'a split that is not for training'
  return undefined
}
