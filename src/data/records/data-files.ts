import { statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { requireRegularFile } from '../../formats/files/regular-file.ts'
import { DataError } from './example.ts'

/** Extensions of the files that are searched for in a folder; each may be followed by `.gz`. */
export const DATA_ENDINGS = ['.txt', '.md', '.jsonl', '.ndjson', '.json', '.csv', '.tsv'] as const
/** Extensions of unsupported data formats, with what to do. */
const UNREAD_ENDINGS: Readonly<Record<string, string>> = {
  '.parquet': 'Parquet is not supported: write it as JSONL',
  '.arrow': 'Arrow is not supported: write it as JSONL',
  '.zst': 'Zstandard is not supported: decompress it',
  '.xz': 'XZ is not supported: decompress it',
  '.bz2': 'bzip2 is not supported: decompress it',
  '.zip': 'ZIP is not supported: unpack it',
  '.tar': 'TAR is not supported: unpack it',
  '.xlsx': 'Excel is not supported: save it as CSV',
  '.pdf': 'PDF is not supported: save it as text',
  '.docx': 'Word is not supported: save it as text',
  '.yaml': 'YAML is not supported',
  '.yml': 'YAML is not supported'
}
const GZIP = '.gz'

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
  const passedOver: PassedOver[] = []
  for (const file of all) {
    const reason = reasonToPass(file, file.slice(path.length), hasTrain)
    if (reason !== undefined) passedOver.push({ file, reason })
    else if (dataEnding(file) !== undefined) files.push(file)
  }
  for (const file of files) requireData(file)
  if (files.length > 0) return { files, passedOver }
  const why = passedOver.map(({ file, reason }) => `; ${file}: ${reason}`).slice(0, 8)
  const cure = passedOver.length > 0 ? '; give the path of a file itself to train on it' : ''
  throw new DataError(`${path} contains no data: looked for ${DATA_ENDINGS.join(', ')}${why.join('')}${cure}`)
}

/** @throws {DataError} naming a path that is not a regular file, or has an unsupported format */
export function requireData(path: string): void {
  try {
    requireRegularFile(path)
  } catch (error) {
    throw new DataError(error instanceof Error ? error.message : String(error))
  }
  const unread = UNREAD_ENDINGS[extname(path).toLowerCase()]
  if (unread !== undefined) throw new DataError(`${path}: ${unread}`)
}

/** The extension that determines how a file is read, without `.gz`; undefined for other files. */
export function dataEnding(path: string): string | undefined {
  const name = path.toLowerCase()
  const ending = extname(name.endsWith(GZIP) ? name.slice(0, -GZIP.length) : name)
  return DATA_ENDINGS.find((known) => known === ending)
}

/** Whether a file is compressed with gzip, by its extension. */
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
      // Folders behind links are not searched, nor are hidden ones.
      .filter((file) => !hidden(file) && statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true)
      .sort()
  )
}

/** Why a file in a folder is left out of training; undefined if it is used, or is not a data file. */
function reasonToPass(file: string, below: string, hasTrain: boolean): string | undefined {
  const unread = UNREAD_ENDINGS[extname(file).toLowerCase()]
  if (unread !== undefined) return unread
  const ending = dataEnding(file)
  if (ending === undefined)
    return isGzip(file) ? 'a compressed file whose name is not that of data' : undefined
  if (DESCRIPTION.test(basename(file))) return 'describes the data'
  // Text files may have any name; next to a training file, the names of these mark splits just as those of record files
  // do.
  const isText = ending === '.txt' || ending === '.md'
  if (OTHER_SPLIT.test(below) && !TRAIN_SPLIT.test(basename(file)) && (!isText || hasTrain))
    return 'not a training split'
  return undefined
}
