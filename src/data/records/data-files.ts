import { existsSync, statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { requireRegularFile } from '../../formats/files/regular-file.ts'
import { DataError } from './example.ts'

/** Extensions of the files that are searched for in a folder; those of text may be followed by `.gz` or `.zst`. */
export const DATA_ENDINGS = ['.txt', '.md', '.jsonl', '.ndjson', '.json', '.csv', '.tsv', '.parquet'] as const
const PACKED_ENDINGS = ['.gz', '.zst'] as const
/** Extensions of unsupported data formats, with what to do. */
const UNREAD_ENDINGS: Readonly<Record<string, string>> = {
  '.arrow':
    'Arrow is not supported: write it as Parquet or JSONL, dataset.to_parquet(file) or dataset.to_json(file)',
  '.xz': 'XZ is not supported: decompress it',
  '.bz2': 'bzip2 is not supported: decompress it',
  '.zip': 'ZIP is not supported: unpack it',
  '.tar': 'TAR is not supported: unpack it',
  '.tgz': 'TAR is not supported: unpack it',
  '.7z': '7z is not supported: unpack it',
  '.rar': 'RAR is not supported: unpack it',
  '.lz4': 'LZ4 is not supported: decompress it',
  '.xlsx': 'Excel is not supported: save it as CSV',
  '.xls': 'Excel is not supported: save it as CSV',
  '.pkl': 'pickles are not supported, since they can run code: write the data as JSONL',
  '.pickle': 'pickles are not supported, since they can run code: write the data as JSONL',
  '.npy': 'arrays of NumPy are not supported: write the data as JSONL',
  '.npz': 'arrays of NumPy are not supported: write the data as JSONL',
  '.h5': 'HDF5 is not supported: write the data as JSONL',
  '.feather': 'Arrow is not supported: write it as Parquet or JSONL',
  '.avro': 'Avro is not supported: write it as JSONL',
  '.orc': 'ORC is not supported: write it as JSONL',
  '.db': 'databases are not supported: write the data as JSONL',
  '.sqlite': 'databases are not supported: write the data as JSONL',
  '.pdf': 'PDF is not supported: save it as text',
  '.docx': 'Word is not supported: save it as text',
  '.yaml': 'YAML is not supported',
  '.yml': 'YAML is not supported'
}

const OTHER_ENDING = 'not a data file by its extension'

/** Names of files that describe a data set, as used by the Hugging Face hub, `datasets` and repositories. */
const DESCRIPTION =
  /^(readme|license|licence|copying|notice|citation|changelog|contributing|authors|dataset_infos?|dataset_dict|state|metadata|croissant|manifest|package|config|index|schema)(\.[^.]+)*$/i
/** Words in a file's name that mark it as not for training, following the split names of `datasets`. */
const OTHER_SPLIT =
  /(^|[^a-z0-9])(test|testing|eval|evaluation|valid|validation|val|dev|heldout|holdout)([^a-z0-9]|$)/i
const TRAIN_SPLIT = /(^|[^a-z0-9])(train|training)([^a-z0-9]|$)/i

/** A file left out of training, and why. */
export interface PassedOver {
  readonly file: string
  readonly reason: string
}

/** The files found at a path, and those left out. */
export interface DataFiles {
  readonly files: readonly string[]
  readonly passedOver: readonly PassedOver[]
}

/** The data files at a path: see `findDataFiles`. */
export async function dataFiles(path: string): Promise<string[]> {
  return [...(await findDataFiles(path)).files]
}

/**
 * Finds the data files at a path: the file itself, or all files with a known extension in a folder, in the order of
 * their names. In a folder, descriptions of the data set, test splits and unsupported formats are left out; a file
 * given by its own path is read whatever its name. Names that begin with a dot are skipped.
 *
 * @throws {DataError} when there are none
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
  // There may be many pictures or scripts: what may be missed comes first.
  const passedOver = [
    ...notRead.filter(({ reason }) => reason !== OTHER_ENDING),
    ...notRead.filter(({ reason }) => reason === OTHER_ENDING)
  ]
  for (const file of files) requireData(file)
  if (files.length > 0) return { files, passedOver }
  const why = passedOver.map(({ file, reason }) => `; ${file}: ${reason}`).slice(0, 8)
  const cure = passedOver.length > 0 ? '; give the path of a file itself to train on it' : ''
  throw new DataError(
    `${path} contains no data: looked for ${DATA_ENDINGS.join(', ')}, compressed with gzip or zstd or not${why.join('')}${cure}`
  )
}

/** @throws {DataError} naming a path that is not a regular file, or has an unsupported format */
export function requireData(path: string): void {
  try {
    requireRegularFile(path)
  } catch (error) {
    throw new DataError(error instanceof Error ? error.message : String(error))
  }
  const unread = unreadReason(path)
  if (unread !== undefined) throw new DataError(`${path}: ${unread}`)
}

/** What to do about a file in an unsupported format, by its extension; that before `.gz` or `.zst`, if it is compressed. */
function unreadReason(path: string): string | undefined {
  return UNREAD_ENDINGS[extname(unpackedName(path)).toLowerCase()]
}

/** The extension that determines how a file is read, without `.gz` or `.zst`; undefined for other files. */
export function dataEnding(path: string): (typeof DATA_ENDINGS)[number] | undefined {
  const ending = extname(unpackedName(path)).toLowerCase()
  const found = DATA_ENDINGS.find((known) => known === ending)
  return found === '.parquet' && packingOf(path) !== undefined ? undefined : found
}

/** How a file is compressed, by its extension; undefined if it is not. */
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
      // Folders behind links are not searched, nor are hidden ones.
      .filter((file) => !hidden(file) && statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true)
      .sort()
  )
}

/** Why a file in a folder is left out of training; undefined if it is used. */
function reasonToPass(file: string, below: string, hasTrain: boolean): string | undefined {
  const unread = unreadReason(file)
  if (unread !== undefined) return unread
  const ending = dataEnding(file)
  if (ending === undefined) return OTHER_ENDING
  if (packingOf(file) !== undefined && existsSync(unpackedName(file))) return 'is there decompressed, too'
  if (DESCRIPTION.test(basename(file))) return 'describes the data'
  // Text files may have any name; next to a training file, the names of these mark splits just as those of record files
  // do.
  const isText = ending === '.txt' || ending === '.md'
  if (OTHER_SPLIT.test(below) && !TRAIN_SPLIT.test(basename(file)) && (!isText || hasTrain))
    return 'not a training split'
  return undefined
}
