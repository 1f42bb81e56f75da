import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { settingsReference } from '../../src/node/config/index.ts'
import { packageRoot } from '../../src/package-root.ts'

/** Writes the table of all settings into docs/configuration.md, between its marks. */
async function writeReference(): Promise<void> {
  const path = join(packageRoot(), 'docs', 'configuration.md')
  const text = await readFile(path, 'utf8')
  const written = text.replace(
    /(?<=<!-- settings -->\n).*(?=<!-- end -->)/s,
    () => `\n${settingsReference()}\n\n`
  )
  if (!written.includes(settingsReference()))
    throw new Error(`${path} lacks the marks <!-- settings --> and <!-- end -->`)
  await writeFile(path, written)
}

await writeReference()
